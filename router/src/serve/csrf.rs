//! Whether a page of another site made the browser send a request.
//!
//! Invariant: nothing is executed for a request that a browser sends without a preflight on behalf of another site.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use chassis::listen::is_own_origin;
use schema::code::ErrorCode;
use url::Url;

use crate::error::RequestError;

/// Headers that a page cannot send to a foreign site without a preflight.
const PREFLIGHT_HEADERS: [HeaderName; 4] = [
    HeaderName::from_static("graphql-require-preflight"),
    HeaderName::from_static("apollo-require-preflight"),
    HeaderName::from_static("x-apollo-operation-name"),
    header::AUTHORIZATION,
];

/// Refuses a request that a page of another site can make a browser send without asking first.
///
/// JSON bodies, our own headers and `authorization` all force a preflight, which CORS answers. A GET has no body: one
/// that a browser sent must come from our own page, or its `accept` must show that it is not a link, image, script or
/// form, and it must not be marked as cross-site. What bears no mark of a browser was sent by a program, and programs are not
/// tricked by pages.
///
/// # Errors
/// `CSRF_REFUSED`.
pub(crate) fn refuse_foreign_pages(
    method: &Method,
    headers: &HeaderMap,
    origins: &AllowedOrigins,
) -> Result<(), RequestError> {
    let preflighted = PREFLIGHT_HEADERS
        .iter()
        .any(|name| headers.contains_key(name));
    let harmless = if method == Method::POST {
        !is_simple(headers)
    } else {
        let trusted = !is_from_a_browser(headers) || is_from_our_page(headers);
        !origins.is_foreign(headers) && (trusted || names_our_media(headers))
    };
    if preflighted || harmless {
        Ok(())
    } else if origins.is_foreign(headers) {
        Err(foreign_page(headers))
    } else {
        Err(RequestError::masked(ErrorCode::CsrfRefused))
    }
}

/// The refusal of a page of another origin, with the one remedy that there is: a page cannot choose its headers.
pub(crate) fn foreign_page(headers: &HeaderMap) -> RequestError {
    let origin = headers.get(header::ORIGIN).and_then(|it| it.to_str().ok());
    let page = origin.map_or_else(
        || "a page of another origin".to_owned(),
        |origin| {
            format!(
                "a page of {:?}",
                origin.chars().take(100).collect::<String>()
            )
        },
    );
    RequestError::new(
        ErrorCode::CsrfRefused,
        format!(
            "{page} may not call; the setting router.http.allowed_origins names those that may"
        ),
    )
}

/// The origins whose pages may call.
#[derive(Debug, Clone, Default)]
pub(crate) struct AllowedOrigins {
    allowed: Vec<String>,
}

impl AllowedOrigins {
    /// Reads the configured list; `*` allows every origin.
    pub(crate) fn new(allowed: &[String]) -> Self {
        let plain = |origin: &String| origin.trim_end_matches('/').to_ascii_lowercase();
        Self {
            allowed: allowed.iter().map(plain).collect(),
        }
    }

    /// The same, and the origin of the operators' console; on loopback under both of its names.
    pub(crate) fn and_console(mut self, console: Option<&str>) -> Self {
        let Some(url) = console.and_then(|it| Url::parse(it).ok()) else {
            return self;
        };
        let origin = url.origin().ascii_serialization();
        self.allowed
            .push(origin.replacen("127.0.0.1", "localhost", 1));
        self.allowed.push(origin);
        self
    }

    /// Whether a page of `origin` may read responses.
    pub(crate) fn allows(&self, origin: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        self.allowed
            .iter()
            .any(|allowed| allowed == "*" || *allowed == origin)
    }

    /// Whether the browser marks this as sent by a page of another origin that is not allowed.
    pub(crate) fn is_foreign(&self, headers: &HeaderMap) -> bool {
        let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(origin) = text(&header::ORIGIN) {
            let host = text(&header::HOST).unwrap_or_default();
            let own = is_own_origin(origin, host);
            return !own && !self.allows(origin);
        }
        let site = text(&HeaderName::from_static("sec-fetch-site"));
        matches!(site, Some("cross-site" | "same-site"))
    }
}

/// Whether a form or a `fetch` without preflight can send this content type.
fn is_simple(headers: &HeaderMap) -> bool {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = value
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    let simple = [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
    ];
    simple.iter().any(|kind| essence.eq_ignore_ascii_case(kind))
}

/// Headers that browsers send by themselves, and the way all of them begin their `user-agent`.
fn is_from_a_browser(headers: &HeaderMap) -> bool {
    let marks = [
        "sec-fetch-site",
        "sec-fetch-dest",
        "sec-ch-ua",
        "origin",
        "referer",
        "cookie",
    ];
    let agent = headers.get(header::USER_AGENT).map(HeaderValue::as_bytes);
    marks.iter().any(|name| headers.contains_key(*name))
        || agent.is_some_and(|agent| agent.starts_with(b"Mozilla/"))
}

/// Our own page, or the user's own hand in the address bar.
fn is_from_our_page(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    matches!(site, Some(b"same-origin" | b"none"))
}

fn names_our_media(headers: &HeaderMap) -> bool {
    let ours = [
        "application/graphql-response+json",
        "application/json",
        "text/event-stream",
        "multipart/mixed",
    ];
    let values = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|range| {
        let essence = range.split(';').next().unwrap_or_default().trim();
        ours.iter().any(|kind| essence.eq_ignore_ascii_case(kind))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        pairs.iter().map(pair).collect()
    }

    fn passes(method: &Method, pairs: &[(&'static str, &'static str)]) -> bool {
        let origins = AllowedOrigins::new(&["https://shop.example".to_owned()]);
        refuse_foreign_pages(method, &headers(pairs), &origins).is_ok()
    }

    /// Seen red with every POST let through: a form of any page could then order in its visitor's name.
    #[test]
    fn what_a_foreign_page_can_send_without_a_preflight_is_refused() {
        let post = &Method::POST;
        assert!(passes(post, &[("content-type", "application/json")]));
        assert!(!passes(post, &[]));
        assert!(!passes(
            post,
            &[("content-type", "text/plain; x=application/json")]
        ));
        assert!(!passes(
            post,
            &[("content-type", "application/x-www-form-urlencoded")]
        ));
        assert!(passes(
            post,
            &[
                ("content-type", "text/plain"),
                ("apollo-require-preflight", "1")
            ]
        ));
        let get = &Method::GET;
        let any = ("accept", "*/*");
        assert!(passes(get, &[any]), "a program");
        assert!(!passes(get, &[any, ("user-agent", "Mozilla/5.0")]));
        assert!(!passes(get, &[any, ("referer", "http://evil.example/")]));
        assert!(!passes(get, &[any, ("sec-fetch-site", "cross-site")]));
        assert!(passes(get, &[any, ("sec-fetch-site", "same-origin")]));
        assert!(passes(
            get,
            &[any, ("origin", "null"), ("graphql-require-preflight", "1")]
        ));
        let json = ("accept", "application/json");
        assert!(passes(get, &[json, ("user-agent", "Mozilla/5.0")]));
        assert!(!passes(get, &[json, ("sec-fetch-site", "cross-site")]));
        let page = |origin| {
            [
                ("accept", "text/event-stream"),
                ("host", "h:1"),
                ("origin", origin),
            ]
        };
        assert!(passes(get, &page("http://h:1")));
        assert!(passes(get, &page("https://shop.example")));
        assert!(!passes(get, &page("https://evil.example")));
    }

    /// Fails with the console's own name for itself alone.
    #[test]
    fn the_console_s_page_may_call_by_both_names_of_loopback_and_no_other_page_by_it() {
        let none = AllowedOrigins::default().and_console(None);
        assert!(!none.allows("http://127.0.0.1:4005"));
        let origins = AllowedOrigins::default().and_console(Some("http://127.0.0.1:4005/"));
        assert!(origins.allows("http://127.0.0.1:4005"));
        assert!(origins.allows("http://localhost:4005"));
        for other in ["http://127.0.0.1:4006", "https://127.0.0.1:4005", "null"] {
            assert!(!origins.allows(other), "{other}");
        }
    }

    /// A browser's script can send no header that helps, so the one remedy is named.
    #[test]
    fn a_foreign_page_is_told_of_the_setting_that_lets_it_in() {
        let refused = |pairs: &[(&'static str, &'static str)]| {
            let origins = AllowedOrigins::default();
            let refused = refuse_foreign_pages(&Method::POST, &headers(pairs), &origins);
            refused.unwrap_err().to_string()
        };
        let form = ("content-type", "text/plain");
        let named = refused(&[form, ("host", "h:1"), ("origin", "https://evil.example")]);
        let nameless = refused(&[form, ("sec-fetch-site", "cross-site")]);
        assert!(named.contains("https://evil.example"), "{named}");
        for sentence in [named, nameless] {
            assert!(
                sentence.contains("router.http.allowed_origins"),
                "{sentence}"
            );
        }
    }
}
