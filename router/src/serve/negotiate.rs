//! Which media type a request's body has, and in which forms its client takes the response.
//!
//! Source: GraphQL over HTTP, 5 and 6.

use axum::http::{HeaderMap, HeaderValue, header};
use chassis::request_rules;
use schema::code::ErrorCode;

use crate::error::RequestError;

/// `application/graphql-response+json`
pub(crate) const GRAPHQL_RESPONSE: HeaderValue =
    HeaderValue::from_static("application/graphql-response+json; charset=utf-8");
/// `application/json`
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// A form in which a response can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    /// `application/graphql-response+json`: the status shows whether the operation was refused.
    GraphqlResponse,
    /// `application/json`: 200 for every well-formed GraphQL request.
    Json,
    /// `text/event-stream`
    EventStream,
    /// `multipart/mixed;subscriptionSpec=1.0`
    Multipart,
}

/// The forms that the client accepts, best first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Accepted(Vec<Media>);

impl Accepted {
    /// The form for the response of a query or mutation, and of a refusal.
    ///
    /// A client that accepts plain JSON and a stream form gets what it names first, but never a stream of parts.
    pub(crate) fn single(&self) -> Media {
        self.0
            .iter()
            .copied()
            .find(|media| *media != Media::Multipart)
            .unwrap_or(Media::Multipart)
    }

    /// The form for a subscription.
    ///
    /// # Errors
    /// `NOT_ACCEPTABLE` when the client takes no form that can carry more than one response.
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

/// Refuses a body that is not JSON in UTF-8, sent as it is.
///
/// # Errors
/// `UNSUPPORTED_MEDIA_TYPE`.
pub(crate) fn require_json(headers: &HeaderMap) -> Result<(), RequestError> {
    request_rules::refuse_encoded(headers)?;
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

/// Whether a parameter is `subscriptionSpec=1.0`. Names of parameters have no case. Source: RFC 9110, 5.6.6.
fn is_subscription_spec(part: &str) -> bool {
    let Some((name, value)) = part.split_once('=') else {
        return false;
    };
    let is_spec = name.trim().eq_ignore_ascii_case("subscriptionSpec");
    is_spec && matches!(value.trim(), "1.0" | "\"1.0\"")
}

fn media<'a>(essence: &str, mut parts: impl Iterator<Item = &'a str>) -> Option<Media> {
    match essence {
        "application/graphql-response+json" => Some(Media::GraphqlResponse),
        "application/json" | "application/*" | "*/*" => Some(Media::Json),
        "text/event-stream" => Some(Media::EventStream),
        "multipart/mixed" => parts.any(is_subscription_spec).then_some(Media::Multipart),
        _ => None,
    }
}

#[cfg(test)]
#[path = "negotiate_tests.rs"]
mod tests;
