//! Which media types a request brings and which it takes, and whether a foreign page could have sent it.
//!
//! Invariant: nothing is executed for a request that a browser sends without a preflight on behalf of another site.
//! Source: GraphQL over HTTP, 5 and 6.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use schema::code::ErrorCode;

use crate::error::RequestError;

/// `application/graphql-response+json`
pub(crate) const GRAPHQL_RESPONSE: HeaderValue =
    HeaderValue::from_static("application/graphql-response+json; charset=utf-8");
/// `application/json`
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// Headers that a page cannot send to a foreign site without a preflight.
const PREFLIGHT_HEADERS: [HeaderName; 4] = [
    HeaderName::from_static("graphql-require-preflight"),
    HeaderName::from_static("apollo-require-preflight"),
    HeaderName::from_static("x-apollo-operation-name"),
    header::AUTHORIZATION,
];

/// A form in which an answer can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    /// `application/graphql-response+json`: the status says how it went.
    GraphqlResponse,
    /// `application/json`: 200 for every well-formed GraphQL request.
    Json,
    /// `text/event-stream`
    EventStream,
    /// `multipart/mixed;subscriptionSpec=1.0`
    Multipart,
}

/// What the client accepts, best first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Accepted(Vec<Media>);

impl Accepted {
    /// The form for the answer of a query or mutation, and of a refusal.
    ///
    /// A client that accepts plain JSON and a stream form gets what it names first, but never a stream of parts.
    pub(crate) fn single(&self) -> Media {
        let plain = self
            .0
            .iter()
            .copied()
            .find(|media| *media != Media::Multipart);
        plain.unwrap_or(Media::Multipart)
    }

    /// The form for a subscription.
    ///
    /// # Errors
    /// `NOT_ACCEPTABLE` when the client takes no form that can carry more than one answer.
    pub(crate) fn stream(&self) -> Result<Media, RequestError> {
        let streams = [Media::EventStream, Media::Multipart];
        self.0.iter().copied().find(|media| streams.contains(media)).ok_or_else(|| {
            RequestError::new(
                ErrorCode::NotAcceptable,
                "a subscription needs accept: text/event-stream or multipart/mixed;subscriptionSpec=1.0, or a WebSocket",
            )
        })
    }
}

/// Reads `accept`; an absent header and `*/*` mean `application/json`.
///
/// # Errors
/// `NOT_ACCEPTABLE` when nothing that is named is served.
pub(crate) fn accepted(headers: &HeaderMap) -> Result<Accepted, RequestError> {
    let mut named: Vec<(u16, Media)> = Vec::new();
    let mut any = false;
    for value in headers.get_all(header::ACCEPT) {
        for range in value.to_str().unwrap_or_default().split(',') {
            let mut parts = range.split(';').map(str::trim);
            let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
            any |= !essence.is_empty();
            let quality = parts.clone().find_map(quality).unwrap_or(1_000);
            if let (Some(media), 1..) = (media(&essence, parts), quality) {
                named.push((quality, media));
            }
        }
    }
    if !any {
        return Ok(Accepted(vec![Media::Json]));
    }
    // The sort is stable: of equal qualities the one named first wins.
    named.sort_by_key(|(quality, _)| std::cmp::Reverse(*quality));
    if named.is_empty() {
        return Err(RequestError::masked(ErrorCode::NotAcceptable));
    }
    Ok(Accepted(
        named.into_iter().map(|(_, media)| media).collect(),
    ))
}

/// Refuses a request that a page of another site can make a browser send without asking first.
///
/// JSON bodies, our own headers and `authorization` all force a preflight, which CORS answers. A GET has no body: one
/// that a browser sent must come from our own page, or say by its `accept` that it is no link, image, script or form,
/// and must not be marked as cross-site. What bears no mark of a browser was sent by a program, and programs are not
/// tricked by pages.
///
/// # Errors
/// `CSRF_REFUSED`.
pub(crate) fn refuse_foreign_pages(
    method: &Method,
    headers: &HeaderMap,
    origins: &Origins,
) -> Result<(), RequestError> {
    let preflighted = PREFLIGHT_HEADERS
        .iter()
        .any(|name| headers.contains_key(name));
    let harmless = if method == Method::POST {
        !is_simple(headers)
    } else {
        let plain = !is_from_a_browser(headers) || is_from_our_page(headers);
        !origins.is_foreign(headers) && (plain || names_our_media(headers))
    };
    if preflighted || harmless {
        Ok(())
    } else {
        Err(RequestError::masked(ErrorCode::CsrfRefused))
    }
}

/// Refuses a body that is not JSON in UTF-8.
///
/// # Errors
/// `UNSUPPORTED_MEDIA_TYPE`.
pub(crate) fn require_json(headers: &HeaderMap) -> Result<(), RequestError> {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let mut parts = value.unwrap_or_default().split(';').map(str::trim);
    let json = parts
        .next()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    let charset = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.eq_ignore_ascii_case("charset")
            .then(|| value.trim_matches('"').to_ascii_lowercase())
    });
    let utf8 = charset.is_none_or(|charset| charset == "utf-8" || charset == "utf8");
    if json && utf8 {
        Ok(())
    } else {
        Err(RequestError::masked(ErrorCode::UnsupportedMediaType))
    }
}

/// The origins whose pages may call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origins {
    allowed: Vec<String>,
}

impl Origins {
    /// From the configured list.
    pub(crate) fn new(allowed: &[String]) -> Self {
        let plain = |origin: &String| origin.trim_end_matches('/').to_ascii_lowercase();
        Self {
            allowed: allowed.iter().map(plain).collect(),
        }
    }

    /// Whether a page of `origin` may read answers.
    pub(crate) fn allows(&self, origin: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        self.allowed
            .iter()
            .any(|allowed| allowed == "*" || *allowed == origin)
    }

    /// Whether a browser says that a page of another, not allowed origin made it send this.
    pub(crate) fn is_foreign(&self, headers: &HeaderMap) -> bool {
        let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(origin) = text(&header::ORIGIN) {
            let host = text(&header::HOST).unwrap_or_default();
            let own = origin
                .split_once("://")
                .is_some_and(|(_, authority)| authority == host);
            return !own && !self.allows(origin);
        }
        let site = text(&HeaderName::from_static("sec-fetch-site"));
        matches!(site, Some("cross-site" | "same-site"))
    }
}

fn quality(part: &str) -> Option<u16> {
    let value = part
        .strip_prefix("q=")
        .or_else(|| part.strip_prefix("Q="))?;
    let value: f32 = value.trim().parse().ok()?;
    // A quality has at most three digits after the point, so this loses nothing.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 0..=1000"
    )]
    Some((value.clamp(0.0, 1.0) * 1_000.0) as u16)
}

fn media<'a>(essence: &str, mut parts: impl Iterator<Item = &'a str>) -> Option<Media> {
    match essence {
        "application/graphql-response+json" => Some(Media::GraphqlResponse),
        "application/json" | "application/*" | "*/*" => Some(Media::Json),
        "text/event-stream" => Some(Media::EventStream),
        "multipart/mixed" => parts
            .any(|part| matches!(part, "subscriptionSpec=1.0" | "subscriptionSpec=\"1.0\""))
            .then_some(Media::Multipart),
        _ => None,
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
#[path = "negotiate_tests.rs"]
mod tests;
