//! Who calls: the bearer token of a request.
//!
//! Invariant: a caller without a token may read the catalogue; a token that is not valid is refused, never treated as
//! none, unless a setting says that others' tokens are for the subgraphs to judge.

use std::sync::Arc;

use axum::http::HeaderMap;
use chassis::{
    config::Secret,
    principal::{self, Principal, Verifier},
};
use schema::code::ErrorCode;

use crate::error::RequestError;

/// A caller, and the token that proves it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Caller {
    pub(crate) principal: Option<Arc<Principal>>,
    pub(crate) token: Option<Secret>,
}

/// Says who calls.
#[derive(Debug)]
pub(crate) struct Callers {
    pub(crate) verifier: Arc<Verifier>,
    /// Takes a token that is not valid here for another's: its bearer is nobody.
    pub(crate) foreign_tokens_enabled: bool,
}

impl Callers {
    /// Checks the header `authorization`.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` for a header that is not `Bearer` with a valid token, and for several.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Result<Caller, RequestError> {
        match principal::bearer(headers) {
            Ok(None) => Ok(Caller::default()),
            Ok(Some(token)) => self.of_token(token),
            Err(_) if self.foreign_tokens_enabled => Ok(Caller::default()),
            Err(_) => Err(refused("authorization must be: Bearer <token>")),
        }
    }

    /// Checks a user's token; a service has no business at a public port.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`.
    pub(crate) fn of_token(&self, token: &str) -> Result<Caller, RequestError> {
        match self.verifier.verify_user(token) {
            Ok(principal) => Ok(Caller {
                principal: Some(Arc::new(principal)),
                token: Some(Secret::new(token.to_owned())),
            }),
            Err(_) if self.foreign_tokens_enabled => Ok(Caller::default()),
            Err(error) => {
                tracing::debug!(%error, "token refused");
                Err(refused("the token is not valid"))
            }
        }
    }
}

fn refused(message: &str) -> RequestError {
    RequestError::new(ErrorCode::Unauthenticated, message)
}
