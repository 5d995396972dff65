//! Answers that are sent compressed to the clients that ask for it.
//!
//! In: a request's `accept-encoding` and a whole response. Out: the same response, its body in gzip where that pays. Invariant:
//! a stream is never touched, so that each frame of it leaves at once: only a body that is there at once knows its size.
//! Source: RFC 9110, 8.4.1.3, 12.5.3 and 12.5.5.

use std::io::Write as _;

use axum::body::{Body, HttpBody as _, to_bytes};
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue, Response, header};

/// A shorter body is sent as it is: it fits into the packet that carries its head, or the next.
pub const LEAST_BYTES: u64 = 1024;
/// A longer body would hold up what else runs on its thread, for about a millisecond or more.
const INLINE_BYTES: usize = 128 * 1024;

/// How a client takes a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// As it is.
    Identity,
    /// In gzip.
    Gzip,
}

impl Coding {
    /// Reads `accept-encoding`. Absent, empty or unreadable means as it is, which every client takes.
    #[must_use]
    pub fn asked(headers: &HeaderMap) -> Self {
        let (mut gzip, mut identity, mut others) = (None, None, None);
        for value in headers.get_all(header::ACCEPT_ENCODING) {
            for named in value.to_str().unwrap_or_default().split(',') {
                let mut parts = named.split(';').map(str::trim);
                let name = parts.next().unwrap_or_default().to_ascii_lowercase();
                let weight = Some(parts.find_map(weight).unwrap_or(1.0));
                match name.as_str() {
                    "gzip" | "x-gzip" => gzip = weight,
                    "identity" => identity = weight,
                    "*" => others = weight,
                    _ => {}
                }
            }
        }
        match gzip.or(others) {
            Some(gzip) if gzip > 0.0 && gzip >= identity.unwrap_or(0.0) => Self::Gzip,
            Some(_) | None => Self::Identity,
        }
    }

    /// Sends `response` so, where its body is whole, long enough, and of a kind that becomes shorter.
    pub async fn encode(self, mut response: Response<Body>) -> Response<Body> {
        if !depends_on_coding(&response) {
            return response;
        }
        varies(response.headers_mut());
        if self == Self::Identity {
            return response;
        }
        let (mut head, body) = response.into_parts();
        // It is in memory, as its exact size says.
        let Ok(plain) = to_bytes(body, usize::MAX).await else {
            return Response::from_parts(head, Body::empty());
        };
        let pressed = if plain.len() > INLINE_BYTES {
            let copy = plain.clone();
            let pressed = tokio::task::spawn_blocking(move || gzip(&copy));
            pressed.await.ok().flatten()
        } else {
            gzip(&plain)
        };
        let body = match pressed {
            Some(pressed) if pressed.len() < plain.len() => {
                set_encoding(&mut head.headers);
                Body::from(pressed)
            }
            Some(_) | None => Body::from(plain),
        };
        Response::from_parts(head, body)
    }
}

/// Says of a response whose body was compressed before that it is in gzip, and that another client gets it plain.
pub fn mark_as_gzip(headers: &mut HeaderMap) {
    varies(headers);
    set_encoding(headers);
}

fn varies(headers: &mut HeaderMap) {
    let varies = HeaderValue::from_static("accept-encoding");
    headers.append(header::VARY, varies);
}

fn set_encoding(headers: &mut HeaderMap) {
    headers.remove(header::CONTENT_LENGTH);
    let gzip = HeaderValue::from_static("gzip");
    headers.insert(header::CONTENT_ENCODING, gzip);
}

/// Whether another client would get other bytes.
fn depends_on_coding(response: &Response<Body>) -> bool {
    let headers = response.headers();
    let size = response.body().size_hint().exact();
    size.is_some_and(|size| size >= LEAST_BYTES)
        && !headers.contains_key(header::CONTENT_ENCODING)
        && !headers.contains_key(header::CONTENT_RANGE)
        && headers.get(header::CONTENT_TYPE).is_some_and(is_text)
}

/// Whether a media type is text, as far as compression is concerned. A stream's type is not, also when it has ended already.
fn is_text(media_type: &HeaderValue) -> bool {
    let essence = media_type.to_str().unwrap_or_default().split(';').next();
    let essence = essence.unwrap_or_default().trim().to_ascii_lowercase();
    match essence.split_once('/') {
        Some(("text", "event-stream")) => false,
        Some(("text", _)) | Some(("font", "ttf")) => true,
        Some(("application", kind)) => {
            matches!(kind, "json" | "javascript" | "xml" | "graphql") || kind.ends_with("+json")
        }
        Some(("image", kind)) => kind == "svg+xml",
        Some(_) | None => false,
    }
}

/// Quick rather than small: the answer is made for this one client.
fn gzip(plain: &[u8]) -> Option<Vec<u8>> {
    let into = Vec::with_capacity(plain.len() / 4);
    let mut encoder = GzEncoder::new(into, Compression::fast());
    encoder.write_all(plain).ok()?;
    encoder.finish().ok()
}

fn weight(part: &str) -> Option<f32> {
    let (name, value) = part.split_once('=')?;
    let is_weight = name.trim().eq_ignore_ascii_case("q");
    is_weight.then(|| value.trim().parse().ok())?
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn asked(values: &[&str]) -> Coding {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::ACCEPT_ENCODING, value.parse().unwrap());
        }
        Coding::asked(&headers)
    }

    #[test]
    fn gzip_is_sent_to_who_asks_for_it_and_to_nobody_else() {
        for values in [
            &["gzip"][..],
            &["gzip, deflate, br"],
            &["br", "GZip"],
            &["x-gzip"],
            &["*"],
            &["gzip;q=0.5"],
            &["gzip; Q = 0.5, identity;q=0.5"],
            &["deflate;q=1, *;q=0.1"],
            &["identity;q=0, gzip"],
        ] {
            assert_eq!(asked(values), Coding::Gzip, "{values:?}");
        }
        for values in [
            &[][..],
            &[""],
            &["br"],
            &["identity"],
            &["gzip;q=0"],
            &["gzip;q=0, *"],
            &["*;q=0"],
            &["gzip;q=0.5, identity;q=0.8"],
            &["gzipped"],
        ] {
            assert_eq!(asked(values), Coding::Identity, "{values:?}");
        }
    }

    fn response(media_type: &str, body: Body) -> Response<Body> {
        let response = Response::builder().header(header::CONTENT_TYPE, media_type);
        response.body(body).unwrap()
    }

    async fn sent(coding: Coding, response: Response<Body>) -> (HeaderMap, Vec<u8>) {
        let (head, body) = coding.encode(response).await.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        (head.headers, body.to_vec())
    }

    /// Seen red with a body that is compressed and not marked.
    #[tokio::test]
    async fn what_is_long_comes_back_as_it_was_and_shorter_on_the_way() {
        for bytes in [1024, 40_000, 3_000_000] {
            let plain = "marketplace ".repeat(bytes / 12 + 1).into_bytes();
            let json = || response("application/json; charset=utf-8", plain.clone().into());
            let (headers, body) = sent(Coding::Gzip, json()).await;
            assert_eq!(headers[header::CONTENT_ENCODING], "gzip");
            assert_eq!(headers[header::VARY], "accept-encoding");
            assert!(body.len() < plain.len() / 10);
            let mut read = Vec::new();
            let mut decoder = flate2::read::GzDecoder::new(body.as_slice());
            decoder.read_to_end(&mut read).unwrap();
            assert_eq!(read, plain);

            let (headers, body) = sent(Coding::Identity, json()).await;
            assert!(!headers.contains_key(header::CONTENT_ENCODING));
            assert_eq!(headers[header::VARY], "accept-encoding");
            assert_eq!(body, plain);
        }
    }

    #[tokio::test]
    async fn what_is_short_streamed_compressed_or_no_text_is_left_alone() {
        let long = "a".repeat(5000);
        let stream = || {
            let pieces = futures::stream::iter(vec![Ok::<_, std::io::Error>("a".repeat(5000))]);
            Body::from_stream(pieces)
        };
        let mut encoded = response("text/css", long.clone().into());
        mark_as_gzip(encoded.headers_mut());
        for (name, given) in [
            ("short", response("text/css", Body::from("a".repeat(1023)))),
            ("stream", response("application/json", stream())),
            ("events", response("text/event-stream", long.clone().into())),
            ("parts", response("multipart/mixed", long.clone().into())),
            ("image", response("image/png", long.clone().into())),
            ("font", response("font/woff2", long.clone().into())),
            ("encoded", encoded),
        ] {
            let before = given.headers().clone();
            let (headers, body) = sent(Coding::Gzip, given).await;
            assert_eq!(headers, before, "{name}");
            assert!(body.iter().all(|byte| *byte == b'a'), "{name}");
        }
    }

    #[tokio::test]
    async fn what_does_not_become_shorter_is_sent_as_it_is() {
        let noise: Vec<u8> = std::iter::successors(Some(1_u64), |last| {
            Some(last.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1))
        })
        .map(|state| state.to_be_bytes()[0])
        .take(2000)
        .collect();
        let given = response("text/plain", noise.clone().into());
        let (headers, body) = sent(Coding::Gzip, given).await;
        assert!(!headers.contains_key(header::CONTENT_ENCODING));
        assert_eq!(body, noise);
    }
}
