//! What every HTTP interface asks of a request before it looks at what is wanted, whatever form its refusals have.

use http::{HeaderMap, HeaderValue, header};
use schema::code::ErrorCode;

use crate::fault::Coded;

/// The header in which a client names a change, so that a repeat of it changes nothing.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The most characters of a key.
const KEY_CHARACTERS_MAX: usize = 255;
/// What some clients begin a text with (RFC 8259, 8.1, lets a reader ignore it).
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The request breaks a rule of all interfaces.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// A key that would be lost, or be another one than the client meant, would make a retry a second change.
    #[error(
        "the header Idempotency-Key must have 1 to {KEY_CHARACTERS_MAX} characters, all of them visible ASCII"
    )]
    IdempotencyKey,
    /// Which of them names the change?
    #[error("the header Idempotency-Key came {0} times; send it once")]
    IdempotencyKeys(usize),
    /// The body is compressed. Source: RFC 9110, 15.5.16.
    #[error("a body in content-encoding {0:?} is not read; send it as it is, without that header")]
    ContentEncoding(String),
}

impl Coded for Unfit {
    fn code(&self) -> ErrorCode {
        match self {
            Self::IdempotencyKey | Self::IdempotencyKeys(_) => ErrorCode::InvalidArgument,
            Self::ContentEncoding(_) => ErrorCode::UnsupportedMediaType,
        }
    }
}

/// The header with the request's idempotency key as it came, if there is one. Whether it is a key is not said.
///
/// # Errors
/// [`Unfit`] when the header came twice.
pub fn idempotency_header(headers: &HeaderMap) -> Result<Option<&HeaderValue>, Unfit> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    let first = keys.next();
    match keys.count() {
        0 => Ok(first),
        others => Err(Unfit::IdempotencyKeys(others + 1)),
    }
}

/// The request's idempotency key, if it has one.
///
/// # Errors
/// [`Unfit`] when the header came twice, or is no key.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<&HeaderValue>, Unfit> {
    let Some(key) = idempotency_header(headers)? else {
        return Ok(None);
    };
    let is_key = key
        .to_str()
        .is_ok_and(|text| !text.trim().is_empty() && text.len() <= KEY_CHARACTERS_MAX);
    if is_key {
        Ok(Some(key))
    } else {
        Err(Unfit::IdempotencyKey)
    }
}

/// Refuses a body that is compressed.
///
/// # Errors
/// [`Unfit::ContentEncoding`].
pub fn refuse_encoded(headers: &HeaderMap) -> Result<(), Unfit> {
    let is_plain = |value: &HeaderValue| {
        let text = value.as_bytes().trim_ascii();
        text.is_empty() || text.eq_ignore_ascii_case(b"identity")
    };
    let encodings = headers.get_all(header::CONTENT_ENCODING);
    match encodings.iter().find(|value| !is_plain(value)) {
        None => Ok(()),
        Some(value) => {
            let text = String::from_utf8_lossy(value.as_bytes());
            Err(Unfit::ContentEncoding(text.chars().take(40).collect()))
        }
    }
}

/// A body's text without the byte order mark that some clients begin it with.
#[must_use]
pub fn without_byte_order_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, values: &[&[u8]]) -> HeaderMap {
        let value = |value: &&[u8]| {
            (
                name.parse().unwrap(),
                HeaderValue::from_bytes(value).unwrap(),
            )
        };
        values.iter().map(value).collect()
    }

    /// Seen red with a key that is not ASCII passed over.
    #[test]
    fn a_key_is_taken_whole_or_refused_and_never_lost() {
        let key = |values: &[&[u8]]| {
            let headers = headers(IDEMPOTENCY_KEY, values);
            idempotency_key(&headers).map(|key| key.map(|key| key.as_bytes().to_vec()))
        };
        let longest = [b'k'; 255];
        for good in [b"k".as_slice(), b"\"quoted\"", b"a b", &longest] {
            assert_eq!(key(&[good]), Ok(Some(good.to_vec())));
        }
        assert_eq!(key(&[]), Ok(None));
        for bad in ["ключ".as_bytes(), b"", b" ", b"\xff", &[b'k'; 256]] {
            let refused = key(&[bad]).unwrap_err();
            assert!(refused.to_string().contains("Idempotency-Key"), "{refused}");
        }
        assert_eq!(key(&[b"a", b"a"]), Err(Unfit::IdempotencyKeys(2)));
    }

    #[test]
    fn only_a_plain_body_is_read() {
        let encoded = |values: &[&[u8]]| refuse_encoded(&headers("content-encoding", values));
        assert_eq!(encoded(&[]), Ok(()));
        assert_eq!(encoded(&[b"Identity"]), Ok(()));
        for bad in [b"gzip".as_slice(), b"identity, br", b"\xff"] {
            assert!(encoded(&[bad]).is_err());
        }
        assert!(encoded(&[b"identity", b"gzip"]).is_err());
    }

    #[test]
    fn one_mark_at_the_beginning_is_passed_over() {
        assert_eq!(without_byte_order_mark("\u{feff}{}".as_bytes()), b"{}");
        assert_eq!(without_byte_order_mark(b"{}"), b"{}");
        let two = "\u{feff}\u{feff}".as_bytes();
        assert_eq!(without_byte_order_mark(two), BYTE_ORDER_MARK);
    }
}
