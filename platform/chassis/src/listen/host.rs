//! Under which names a listener may be asked.
//!
//! A page whose name is made to point at 127.0.0.1 (DNS rebinding) is of the same origin as what listens there; the name
//! that the browser sends is all that tells it apart. So a listener on loopback answers to the names of loopback.
//! Source: RFC 9112, 3.2 (one `Host`), RFC 9110, 15.5.20 (421).

use std::net::{IpAddr, SocketAddr};

use http::{
    StatusCode, Version, header,
    request::Parts,
    uri::{Authority, Uri},
};

/// The names of one listener.
#[derive(Debug, Clone)]
pub(super) struct Hosts {
    is_loopback: bool,
    allowed: Vec<String>,
}

/// Why a request's host is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("a request of HTTP/1.1 has one Host header; this one has {0}")]
    Count(usize),
    #[error("the Host header is not a host with an optional port")]
    Malformed,
    #[error(
        "this listener is not called {0:?}: ask for localhost, 127.0.0.1 or [::1], or name the host in the setting \
         router.http.allowed_hosts"
    )]
    Foreign(String),
}

impl Refused {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Count(_) | Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Foreign(_) => StatusCode::MISDIRECTED_REQUEST,
        }
    }
}

impl Hosts {
    /// `allowed` are names, with a port when only that port is meant.
    pub(super) fn new(address: SocketAddr, allowed: &[String]) -> Self {
        let plain = |host: &String| host.trim_end_matches('.').to_ascii_lowercase();
        Self {
            is_loopback: address.ip().to_canonical().is_loopback(),
            allowed: allowed.iter().map(plain).collect(),
        }
    }

    /// Refuses a request for another host.
    ///
    /// # Errors
    /// [`Refused`].
    pub(super) fn check(&self, head: &Parts) -> Result<(), Refused> {
        let mut named = head.headers.get_all(header::HOST).iter();
        let count = head.headers.get_all(header::HOST).iter().count();
        let is_one_needed = head.version == Version::HTTP_11;
        if count > 1 || (is_one_needed && count == 0) {
            return Err(Refused::Count(count));
        }
        if let Some(value) = named.next() {
            let text = value.to_str().map_err(|_| Refused::Malformed)?;
            self.check_host(text)?;
        }
        // A target in absolute form names a host of its own, as HTTP/2 does in `:authority`.
        head.uri
            .authority()
            .map_or(Ok(()), |authority| self.check_host(authority.as_str()))
    }

    fn check_host(&self, text: &str) -> Result<(), Refused> {
        let authority: Authority = text.parse().map_err(|_| Refused::Malformed)?;
        if text.contains('@') || authority.host().is_empty() {
            return Err(Refused::Malformed);
        }
        if self.allows(&authority) {
            Ok(())
        } else {
            // A long name is not worth repeating.
            Err(Refused::Foreign(text.chars().take(100).collect()))
        }
    }

    fn allows(&self, authority: &Authority) -> bool {
        let host = authority.host();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        let port = authority.port_u16();
        let is_listed = self.allowed.iter().any(|allowed| {
            *allowed == name || port.is_some_and(|port| *allowed == format!("{name}:{port}"))
        });
        match address.parse::<IpAddr>() {
            Ok(address) if self.is_loopback => is_listed || address.to_canonical().is_loopback(),
            // Rebinding takes a name.
            Ok(_) => true,
            Err(_) => {
                is_listed || name == "localhost" || (!self.is_loopback && self.allowed.is_empty())
            }
        }
    }
}

/// Whether `origin`, as a browser names a page's, is that of the listener which `head` was sent to.
///
/// A listener beyond loopback may stand behind a proxy that ends TLS, so there the scheme may also be `https`.
#[must_use]
pub fn is_own_origin(origin: &str, host: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else {
        return false;
    };
    let is_loopback = host.parse::<Authority>().is_ok_and(|authority| {
        let name = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost")
            || name
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    });
    let is_scheme = scheme == "http" || (scheme == "https" && !is_loopback);
    is_scheme && authority.eq_ignore_ascii_case(host) && authority.parse::<Uri>().is_ok()
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const LOOPBACK: [u8; 4] = [127, 0, 0, 1];

    fn check(address: [u8; 4], allowed: &[&str], hosts: &[&str]) -> Result<(), Refused> {
        let allowed: Vec<String> = allowed.iter().map(|&it| it.to_owned()).collect();
        let mut request = Request::get("/graphql");
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        Hosts::new((address, 4000).into(), &allowed).check(&head)
    }

    /// Seen red with the check left out of a listener on loopback.
    #[test]
    fn loopback_answers_to_its_own_names_and_to_those_that_the_setting_names() {
        for host in [
            "localhost",
            "LOCALHOST:1",
            "localhost.",
            "127.0.0.1:4000",
            "127.0.0.2",
            "[::1]:4000",
        ] {
            assert_eq!(check(LOOPBACK, &[], &[host]), Ok(()), "{host}");
        }
        for host in [
            "evil",
            "evil.example:4000",
            "localhost.evil.example",
            "127.0.0.1.nip.io",
            "10.0.0.1",
        ] {
            let refused = check(LOOPBACK, &[], &[host]).unwrap_err();
            assert_eq!(refused.status(), StatusCode::MISDIRECTED_REQUEST, "{host}");
            assert!(
                refused.to_string().contains("router.http.allowed_hosts"),
                "{refused}"
            );
        }
        assert_eq!(
            check(LOOPBACK, &["Shop.local"], &["shop.local:4000"]),
            Ok(())
        );
        assert_eq!(
            check(LOOPBACK, &["shop.local:80"], &["shop.local:80"]),
            Ok(())
        );
        assert!(check(LOOPBACK, &["shop.local:80"], &["shop.local:81"]).is_err());
    }

    #[test]
    fn beyond_loopback_every_name_will_do_until_some_are_named() {
        let anywhere = [0, 0, 0, 0];
        assert_eq!(check(anywhere, &[], &["shop.example"]), Ok(()));
        assert_eq!(
            check(anywhere, &["shop.example"], &["shop.example"]),
            Ok(())
        );
        assert_eq!(
            check(anywhere, &["shop.example"], &["10.0.0.1:4001"]),
            Ok(())
        );
        assert!(check(anywhere, &["shop.example"], &["evil.example"]).is_err());
    }

    #[test]
    fn one_host_and_a_whole_one() {
        for hosts in [
            &[][..],
            &["localhost", "localhost"],
            &["a b"],
            &["user@localhost"],
            &[""],
            &["a/b"],
        ] {
            let refused = check(LOOPBACK, &[], hosts).unwrap_err();
            assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{hosts:?}");
        }
    }

    #[test]
    fn the_host_of_a_target_in_absolute_form_counts() {
        let request = Request::get("http://evil.example/graphql").header(header::HOST, "localhost");
        let (head, ()) = request.body(()).unwrap().into_parts();
        assert!(
            Hosts::new((LOOPBACK, 4000).into(), &[])
                .check(&head)
                .is_err()
        );
    }

    #[test]
    fn an_origin_is_own_by_scheme_host_and_port() {
        assert!(is_own_origin("http://127.0.0.1:8080", "127.0.0.1:8080"));
        assert!(is_own_origin("https://shop.example", "shop.example"));
        for (origin, host) in [
            ("http://127.0.0.1:4000", "127.0.0.1:8080"),
            ("https://127.0.0.1:8080", "127.0.0.1:8080"),
            ("http://localhost:8080", "127.0.0.1:8080"),
            ("null", "127.0.0.1:8080"),
            ("http://127.0.0.1:8080@evil", "127.0.0.1:8080"),
            ("", ""),
            ("http://", ""),
        ] {
            assert!(!is_own_origin(origin, host), "{origin} {host}");
        }
    }
}
