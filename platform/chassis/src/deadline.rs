//! How long a caller over HTTP waits: the header `X-Request-Timeout-Ms`, a whole number of milliseconds above 0, as
//! `grpc-timeout` is for gRPC. Without it a caller waits as long as the server's own limit.

use std::time::Duration;

use http::HeaderMap;

/// The header's name.
pub const HEADER: &str = "x-request-timeout-ms";
/// Its most digits, as Connect's `Connect-Timeout-Ms` has them.
const MAX_DIGITS: usize = 10;

/// How long the caller waits; `None` without the header and for one that breaks its form, which is ignored as a gRPC server
/// ignores its own.
#[must_use]
pub fn patience(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(HEADER)?.to_str().ok()?;
    let is_number = text.len() <= MAX_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    let millis: u64 = is_number.then(|| text.parse().ok())??;
    (millis > 0).then(|| Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_waits_a_whole_number_of_milliseconds() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER, text.parse().unwrap());
            patience(&headers)
        };
        assert_eq!(read("250"), Some(Duration::from_millis(250)));
        for bad in ["", "0", "-1", "+1", "1.5", "1s", "12345678901"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        assert_eq!(patience(&HeaderMap::new()), None);
    }
}
