//! Multipart subscriptions: `multipart/mixed;subscriptionSpec=1.0`, which Apollo's clients speak.
//!
//! Each part is one JSON object: `{"payload": <response>}`, `{}` as a heartbeat, and `{"payload": null, "errors": [..]}`
//! for an error that ends the stream. A boundary follows each part at once, so a client need not wait for the next.
//! Source: Apollo's multipart HTTP protocol for subscriptions.

use axum::http::HeaderValue;
use bytes::Bytes;

use super::encoding::Encoding;
use crate::error::RequestError;

/// The multipart format; it has no field for an id beside the payload, so the cursor is in the payload alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Multipart;

impl Encoding for Multipart {
    fn content_type(&self) -> HeaderValue {
        HeaderValue::from_static("multipart/mixed;boundary=\"graphql\";subscriptionSpec=1.0")
    }

    fn opening(&self) -> Bytes {
        Bytes::from_static(b"\r\n--graphql")
    }

    fn next(&self, _cursor: Option<&str>, body: &[u8]) -> Bytes {
        part(&[b"{\"payload\":", body, b"}"], b"")
    }

    fn heartbeat(&self, _cursor: Option<&str>) -> Bytes {
        part(&[b"{}"], b"")
    }

    fn end(&self, error: Option<&RequestError>) -> Bytes {
        match error {
            None => Bytes::from_static(b"--\r\n"),
            Some(error) => {
                error.count();
                let body = error.to_body();
                // `{"errors":[..]}` continues after the payload.
                let errors = body.get(1..).unwrap_or(b"}");
                part(&[b"{\"payload\":null,", errors], b"--\r\n")
            }
        }
    }
}

fn part(json: &[&[u8]], tail: &[u8]) -> Bytes {
    let mut text = b"\r\ncontent-type: application/json\r\n\r\n".to_vec();
    json.iter().for_each(|piece| text.extend_from_slice(piece));
    text.extend_from_slice(b"\r\n--graphql");
    text.extend_from_slice(tail);
    Bytes::from(text)
}

#[cfg(test)]
mod tests {
    use schema::code::ErrorCode;

    use super::*;

    #[test]
    fn the_parts_make_one_multipart_body() {
        let error = RequestError::new(ErrorCode::ServerDraining, "bye");
        let body = [
            Multipart.opening(),
            Multipart.next(Some("c1"), br#"{"data":1}"#),
            Multipart.heartbeat(Some("c2")),
            Multipart.end(Some(&error)),
        ]
        .concat();
        let head = "content-type: application/json\r\n\r\n";
        let expected = format!(
            "\r\n--graphql\r\n{head}{{\"payload\":{{\"data\":1}}}}\r\n--graphql\r\n{head}{{}}\r\n--graphql\r\n{head}\
             {{\"payload\":null,\"errors\":[{{\"message\":\"bye\",\"extensions\":{{\"code\":\"SERVER_DRAINING\"}}}}]}}\r\n--graphql--\r\n"
        );
        assert_eq!(String::from_utf8(body).unwrap(), expected);
    }
}
