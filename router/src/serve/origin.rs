//! Where a request comes from: its caller, its idempotency key, its trace and its address.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::ConnectInfo,
    http::{HeaderMap, HeaderValue, request::Parts},
};
use chassis::{deadline, principal::Verifier, request_rules};
use ipnet::IpNet;
use tokio::time::Instant;

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
    /// When the client leaves, where it said so.
    pub(crate) leaves_at: Option<Instant>,
}

impl Origin {
    /// Reads the head of a request for one operation.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`, and `INVALID_ARGUMENT` for two headers `Idempotency-Key`. What is in one is for the subgraph to judge,
    /// which names the key in the mutation's `userErrors`.
    pub(super) fn of_request(
        verifier: &Verifier,
        parts: &Parts,
        proxies: &[IpNet],
    ) -> Result<Self, RequestError> {
        let origin = Self::of_socket(verifier, parts, proxies)?;
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
        verifier: &Verifier,
        parts: &Parts,
        proxies: &[IpNet],
    ) -> Result<Self, RequestError> {
        Ok(Self {
            caller: auth::caller(verifier, &parts.headers)?,
            idempotency_key: None,
            traceparent: telemetry::traceparent(&parts.headers),
            address: address(parts, proxies),
            leaves_at: None,
        })
    }

    /// Whose limits the request counts against.
    pub(super) fn rate_limit_key(&self) -> RateLimitKey {
        RateLimitKey::of(self.caller.principal.as_deref(), self.address)
    }
}

/// Where a request comes from: its peer, or behind proxies of ours the nearest address that is none of them.
pub(super) fn address(parts: &Parts, proxies: &[IpNet]) -> Option<IpAddr> {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>()?.0.ip();
    Some(behind(peer, &parts.headers, proxies))
}

/// Reads `X-Forwarded-For` from its end, where the nearest proxy wrote; what stands before a foreign address, or is no
/// address, anybody may have written.
fn behind(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let is_ours = |address: IpAddr| proxies.iter().any(|net| net.contains(&address));
    let mut nearest = peer.to_canonical();
    let lines = headers.get_all("x-forwarded-for").into_iter().rev();
    let hops = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
    for hop in hops {
        if !is_ours(nearest) {
            break;
        }
        let Ok(address) = hop.trim().parse::<IpAddr>() else {
            break;
        };
        nearest = address.to_canonical();
    }
    nearest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seen red with a header that is believed of everybody.
    #[test]
    fn only_a_proxy_of_ours_says_who_is_behind_it() {
        let ours: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap()];
        let read = |peer: &str, lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("x-forwarded-for", line.parse().unwrap());
            }
            behind(peer.parse().unwrap(), &headers, &ours).to_string()
        };
        assert_eq!(read("192.0.2.9", &["198.51.100.1"]), "192.0.2.9");
        assert_eq!(read("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(read("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        let spoofed = "203.0.113.7, 198.51.100.1, 10.0.0.2";
        assert_eq!(read("10.0.0.1", &[spoofed]), "198.51.100.1");
        assert_eq!(
            read("10.0.0.1", &["203.0.113.7", "198.51.100.1"]),
            "198.51.100.1"
        );
        assert_eq!(read("10.0.0.1", &["198.51.100.1, nonsense"]), "10.0.0.1");
        assert_eq!(read("::ffff:10.0.0.1", &["2001:db8::1"]), "2001:db8::1");
    }
}
