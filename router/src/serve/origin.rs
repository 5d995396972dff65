//! Where a request comes from: its caller, its idempotency key, its trace and its address.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::ConnectInfo,
    http::{HeaderValue, request::Parts},
};
use chassis::{principal::Verifier, request_rules};

use super::{
    auth::{self, Caller},
    telemetry,
};
use crate::{admission::RateLimitKey, error::RequestError};

/// What a transport knows of a request besides its text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origin {
    pub(crate) caller: Caller,
    pub(crate) idempotency_key: Option<HeaderValue>,
    pub(crate) traceparent: Option<String>,
    pub(crate) address: Option<IpAddr>,
}

impl Origin {
    /// Reads the head of a request for one operation.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`, and `INVALID_ARGUMENT` for two headers `Idempotency-Key`. What is in one is for the subgraph to judge,
    /// which names the key in the mutation's `userErrors`.
    pub(super) fn of_request(verifier: &Verifier, parts: &Parts) -> Result<Self, RequestError> {
        let origin = Self::of_socket(verifier, parts)?;
        let key = request_rules::idempotency_header(&parts.headers)?;
        Ok(Self {
            idempotency_key: key.cloned(),
            ..origin
        })
    }

    /// Reads the head of a request for a socket, whose operations have no idempotency key.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`.
    pub(super) fn of_socket(verifier: &Verifier, parts: &Parts) -> Result<Self, RequestError> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self {
            caller: auth::caller(verifier, &parts.headers)?,
            idempotency_key: None,
            traceparent: telemetry::traceparent(&parts.headers),
            address: peer.map(|peer| peer.0.ip()),
        })
    }

    /// Whose limits the request counts against.
    pub(super) fn rate_limit_key(&self) -> RateLimitKey {
        RateLimitKey::of(self.caller.principal.as_deref(), self.address)
    }
}
