//! One signed request. The scheme is Standard Webhooks 1.0: `webhook-id`, `webhook-timestamp` and
//! `webhook-signature: v1,BASE64`, an HMAC-SHA256 over `id.timestamp.body`. A receiver that cannot take an event may say when
//! to come back. Source: RFC 9110 §10.2.3.

use std::time::{Duration, SystemTime};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chassis::telemetry::{http::TRACEPARENT, trace};
use chrono::{DateTime, SecondsFormat, Utc};
use hmac::{Hmac, Mac as _};
use reqwest::{
    Client, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER},
    redirect,
};
use schema::event::OrderEvent;
use serde_json::json;
use sha2::Sha256;
use tracing::Instrument as _;

use super::config::Config;

/// What a secret starts with.
const PREFIX: &str = "whsec_";
/// What receivers see who asks.
const USER_AGENT: &str = concat!("marketplace-notifier/", env!("CARGO_PKG_VERSION"));
/// Bounds of a key, in bytes. Source: Standard Webhooks, "Signature scheme".
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Why the settings describe no webhook.
#[derive(Debug, thiserror::Error)]
pub enum InvalidWebhook {
    /// The URL.
    #[error("notifier.webhook.url must be an http or https URL")]
    Url,
    /// The secret, which is not shown.
    #[error("notifier.webhook.secret must be whsec_ and 24 to 64 bytes in base64")]
    Secret,
    /// The client.
    #[error("the webhook's HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

/// What came of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// 2xx.
    Accepted,
    /// It may be accepted later; perhaps the receiver said when.
    Unavailable {
        reason: String,
        retry_after: Option<Duration>,
    },
    /// The receiver does not want it.
    Rejected(String),
}

/// Posts events to the receiver.
pub(super) struct HttpClient {
    http: Client,
    url: Url,
    key: Hmac<Sha256>,
    retry_after_max: Duration,
}

impl HttpClient {
    /// # Errors
    /// [`InvalidWebhook`].
    pub(super) fn new(config: &Config) -> Result<Self, InvalidWebhook> {
        let url: Url = config.url.parse().map_err(|_| InvalidWebhook::Url)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(InvalidWebhook::Url);
        }
        let key = config.secret.expose().strip_prefix(PREFIX);
        let key = key.and_then(|text| STANDARD.decode(text).ok());
        let key = key.filter(|key| KEY_BYTES.contains(&key.len()));
        let key = Hmac::new_from_slice(&key.ok_or(InvalidWebhook::Secret)?)
            .expect("HMAC takes keys of any length");
        // The receiver's answer must not choose whom we call next.
        let http = Client::builder()
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(config.timeout)
            .build()?;
        Ok(Self {
            http,
            url,
            key,
            retry_after_max: config.retry_after_max,
        })
    }

    /// Posts one event. Dropping the future may have sent it.
    pub(super) async fn post(&self, event: &OrderEvent, now: DateTime<Utc>) -> Outcome {
        let span = tracing::info_span!(
            "webhook",
            otel.name = "POST webhook",
            otel.kind = "client",
            order.id = %event.order_id,
            version = event.version,
            trace_id = tracing::field::Empty,
        );
        let (span, traceparent) = trace::begin(span, event.traceparent.as_deref());
        let (id, timestamp, body) = (event.event_id.to_string(), now.timestamp(), body(event));
        let request = self
            .http
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", self.sign(&id, timestamp, &body))
            .header(TRACEPARENT, traceparent)
            .body(body);
        match request.send().instrument(span).await {
            Ok(answer) => {
                let wait = retry_after(answer.headers(), now);
                judge(
                    answer.status(),
                    wait.map(|wait| wait.min(self.retry_after_max)),
                )
            }
            // The URL may hold a password, and the log has it from the settings.
            Err(error) => Outcome::Unavailable {
                reason: chassis::fault::chain(&error.without_url()),
                retry_after: None,
            },
        }
    }

    fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let mut mac = self.key.clone();
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// How long the receiver asks to wait: whole seconds, or until an HTTP date. What is neither says nothing.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number of no use as one is longer than any bound.
        return Some(text.parse().map_or(Duration::MAX, Duration::from_secs));
    }
    let at = httpdate::parse_http_date(text).ok()?;
    Some(at.duration_since(SystemTime::from(now)).unwrap_or_default())
}

fn judge(status: StatusCode, retry_after: Option<Duration>) -> Outcome {
    match status.as_u16() {
        200..=299 => Outcome::Accepted,
        408 | 425 | 429 | 500.. => Outcome::Unavailable {
            reason: format!("the receiver answered {status}"),
            retry_after,
        },
        _ => Outcome::Rejected(format!("the receiver answered {status}")),
    }
}

/// The body of an event: the same text each time.
fn body(event: &OrderEvent) -> String {
    let moment = event.moment.to_rfc3339_opts(SecondsFormat::Micros, true);
    json!({
        "type": "order.status_changed",
        "timestamp": moment,
        "data": {
            "event_id": event.event_id,
            "order_id": event.order_id.get(),
            "user_id": event.user_id.get(),
            "version": event.version,
            "status": event.status.as_str(),
        },
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification. Source: Standard Webhooks 1.0 and its reference libraries' tests.
    #[test]
    fn a_signature_is_that_of_the_specifications_example() {
        chassis::tls::install();
        let config = Config {
            url: "http://127.0.0.1:1/".to_owned(),
            secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned().into(),
            ..Config::default()
        };
        let poster = HttpClient::new(&config).unwrap();
        assert_eq!(
            poster.sign(
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#
            ),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
        assert!(!format!("{config:?}").contains("MfKQ"));
    }

    #[test]
    fn settings_that_make_no_webhook_are_told_without_the_secret() {
        chassis::tls::install();
        for (url, secret, told) in [
            ("ftp://a/", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "url"),
            ("http://a/", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "secret"),
            ("http://a/", "whsec_c2hvcnQ=", "secret"),
        ] {
            let config = Config {
                url: url.to_owned(),
                secret: secret.to_owned().into(),
                ..Config::default()
            };
            let Err(error) = HttpClient::new(&config) else {
                panic!("{url} {secret}")
            };
            let error = error.to_string();
            assert!(
                error.contains(&format!("notifier.webhook.{told}")),
                "{error}"
            );
            assert!(!error.contains(secret));
        }
    }

    /// RFC 9110 §10.2.3 and §5.6.7: delta-seconds, or an HTTP date of any of the three formats.
    #[test]
    fn a_receiver_says_when_to_come_back_in_seconds_or_by_a_date() {
        let now = "2026-11-28T20:00:00Z".parse().unwrap();
        let wait = |text: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            retry_after(&headers, now)
        };
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for (text, expected) in [
            ("0", seconds(0)),
            ("7", seconds(7)),
            (" 120 ", seconds(120)),
            ("99999999999999999999999", Some(Duration::MAX)),
            ("Sat, 28 Nov 2026 20:00:30 GMT", seconds(30)),
            ("Saturday, 28-Nov-26 20:00:30 GMT", seconds(30)),
            ("Sat Nov 28 20:00:30 2026", seconds(30)),
            ("Sat, 28 Nov 2026 19:00:00 GMT", seconds(0)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(wait(text), expected, "{text:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn only_2xx_is_taken_and_only_what_may_change_is_tried_for_ever() {
        let judged = |status| judge(StatusCode::from_u16(status).unwrap(), None);
        for status in [200, 202, 204] {
            assert_eq!(judged(status), Outcome::Accepted);
        }
        for status in [408, 425, 429, 500, 503] {
            assert!(
                matches!(judged(status), Outcome::Unavailable { .. }),
                "{status}"
            );
        }
        for status in [301, 307, 400, 401, 404, 410, 422] {
            assert!(matches!(judged(status), Outcome::Rejected(_)), "{status}");
        }
    }
}
