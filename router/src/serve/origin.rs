//! Where a request comes from: its caller, its idempotency key, its trace and its address.

use std::net::IpAddr;

use axum::http::{HeaderName, HeaderValue, request::Parts};
use chassis::{
    budget::{self, RateLimitKey},
    deadline, request_rules,
};
use federation::ClientHeaders;
use ipnet::IpNet;
use tokio::time::Instant;

use super::{
    auth::{Caller, Callers},
    telemetry,
};
use crate::error::RequestError;

/// Asks for the plan of the operation, by `true`.
pub(super) const QUERY_PLAN: HeaderName = HeaderName::from_static("x-query-plan");

/// What a transport knows of a request besides its text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origin {
    pub(crate) caller: Caller,
    pub(crate) idempotency_key: Option<HeaderValue>,
    pub(crate) traceparent: Option<String>,
    pub(crate) address: Option<IpAddr>,
    /// When the client leaves, where it said so.
    pub(crate) leaves_at: Option<Instant>,
    /// What of the client's headers some subgraph gets.
    pub(crate) passed_on: Option<ClientHeaders>,
    /// Whether the client asks for the plan beside the data.
    pub(crate) wants_plan: bool,
}

impl Origin {
    /// Reads the head of a request for one operation.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`, and `INVALID_ARGUMENT` for two headers `Idempotency-Key`. What is in one is for the subgraph to judge,
    /// which names the key in the mutation's `userErrors`.
    pub(super) fn of_request(
        callers: &Callers,
        parts: &Parts,
        proxies: &[IpNet],
    ) -> Result<Self, RequestError> {
        let origin = Self::of_socket(callers, parts, proxies)?;
        let key = request_rules::idempotency_header(&parts.headers)?;
        Ok(Self {
            idempotency_key: key.cloned(),
            leaves_at: deadline::patience(&parts.headers).map(|patience| Instant::now() + patience),
            ..origin
        })
    }

    /// Reads the head of a request for a socket, whose operations have no idempotency key.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`.
    pub(super) fn of_socket(
        callers: &Callers,
        parts: &Parts,
        proxies: &[IpNet],
    ) -> Result<Self, RequestError> {
        Ok(Self {
            caller: callers.caller(&parts.headers)?,
            idempotency_key: None,
            traceparent: telemetry::traceparent(&parts.headers),
            address: address(parts, proxies),
            leaves_at: None,
            passed_on: None,
            wants_plan: parts.headers.get(QUERY_PLAN).is_some_and(|it| it == "true"),
        })
    }

    /// Whose limits the request counts against.
    pub(super) fn rate_limit_key(&self) -> RateLimitKey {
        RateLimitKey::of(self.caller.principal.as_deref(), self.address)
    }
}

/// Where a request comes from: its peer, or behind proxies of ours the nearest address that is none of them.
pub(super) fn address(parts: &Parts, proxies: &[IpNet]) -> Option<IpAddr> {
    let peer = budget::peer(&parts.extensions)?;
    Some(budget::behind_proxies(peer, &parts.headers, proxies))
}
