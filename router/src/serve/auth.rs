//! Who calls: the bearer token of a request.
//!
//! Invariant: a caller without a token may read the catalogue; a token that is not valid is refused, never treated as
//! none.

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

/// Checks the header `authorization`.
///
/// # Errors
/// `UNAUTHENTICATED` for a header that is not `Bearer` with a valid token, and for several.
pub(crate) fn caller(verifier: &Verifier, headers: &HeaderMap) -> Result<Caller, RequestError> {
    match principal::bearer(headers) {
        Ok(None) => Ok(Caller::default()),
        Ok(Some(token)) => from_token(verifier, token),
        Err(_) => Err(refused("authorization must be: Bearer <token>")),
    }
}

/// Checks a user's token; a service has no business at a public port.
///
/// # Errors
/// `UNAUTHENTICATED`.
pub(crate) fn from_token(verifier: &Verifier, token: &str) -> Result<Caller, RequestError> {
    match verifier.verify_user(token) {
        Ok(principal) => Ok(Caller {
            principal: Some(Arc::new(principal)),
            token: Some(Secret::new(token.to_owned())),
        }),
        Err(error) => {
            tracing::debug!(%error, "token refused");
            Err(refused("the token is not valid"))
        }
    }
}

fn refused(message: &str) -> RequestError {
    RequestError::new(ErrorCode::Unauthenticated, message)
}
