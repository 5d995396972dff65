//! The client of one marketplace: retries an operation until its outcome is known, and interprets the response.
//!
//! Invariant: a response that leaves open whether the effect happened is retried, with the same idempotency key.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use chassis::listen::KEEP_IDLE;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use schema::code::ErrorCode;
use serde_json::{Value, json};
use tokio::time::Instant;
use url::Url;
use uuid::Uuid;

/// How long one try may take.
pub const TRY_LIMIT: Duration = Duration::from_secs(10);
/// The pause before the second try; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Why a run cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The HTTP client cannot be built.
    #[error("the HTTP client: {0}")]
    Client(#[source] reqwest::Error),
    /// Nobody answers there, or not as a marketplace.
    #[error(
        "{url}: {said}; is a marketplace running there? `marketplace up` starts one, --url names another"
    )]
    Unreachable {
        /// What was asked.
        url: Url,
        /// What came back.
        said: String,
    },
    /// The demo's issuer is off.
    #[error("{url} hands out no tokens: the demo issuer is off; `profile = \"demo\"` turns it on")]
    NoTokens {
        /// What was asked.
        url: Url,
    },
    /// Nothing can be bought.
    #[error("the catalogue has no product with stock; `marketplace seed` loads some")]
    NoProducts,
}

/// What the marketplace replied.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// It was done: the field's value.
    Done(Value),
    /// It was refused, with a code that the caller can act on.
    Refused(String),
    /// An error.
    Failed(String),
}

impl Reply {
    /// The code of a refusal or an error.
    fn code(&self) -> Option<&str> {
        match self {
            Self::Done(_) => None,
            Self::Refused(code) | Self::Failed(code) => Some(code),
        }
    }
}

/// The last reply to an operation, and the attempts before it.
#[derive(Debug, Clone)]
pub struct Response {
    /// The reply to the last attempt.
    pub reply: Reply,
    /// The code of the reply to each attempt before it.
    pub retried: Vec<String>,
    /// The trace of all attempts.
    pub trace: Uuid,
}

/// One GraphQL operation with one root field.
#[derive(Debug, Clone)]
pub struct Operation {
    /// The document.
    pub text: &'static str,
    /// Its root field.
    pub field: &'static str,
    /// Its variables, an object.
    pub variables: Value,
}

/// The client of one marketplace. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    graph: Url,
    token: Url,
    patience: Duration,
}

impl Client {
    /// A client of the router at `url`, which retries for up to `patience` until the outcome is known.
    ///
    /// # Errors
    /// [`Error::Client`] when HTTP cannot be set up.
    pub fn new(url: &Url, patience: Duration) -> Result<Self, Error> {
        chassis::tls::install();
        let http = reqwest::Client::builder()
            .pool_max_idle_per_host(1024)
            .pool_idle_timeout(KEEP_IDLE)
            .tcp_nodelay(true)
            .build()
            .map_err(Error::Client)?;
        let below = |path: &str| {
            let mut below = url.clone();
            below.set_path(path);
            below
        };
        Ok(Self {
            http,
            graph: below("/graphql"),
            token: below("/demo/token"),
            patience,
        })
    }

    /// How long an operation without a response is retried.
    #[must_use]
    pub const fn patience(&self) -> Duration {
        self.patience
    }

    /// What it sends with.
    #[must_use]
    pub const fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Where GraphQL is.
    pub(crate) const fn graph(&self) -> &Url {
        &self.graph
    }

    /// A token of the demo's issuer.
    pub(crate) async fn token(&self, user: i64, ops: bool) -> Result<String, Error> {
        let unreachable = |said: String| Error::Unreachable {
            url: self.token.clone(),
            said,
        };
        let body = json!({ "user": user.to_string(), "ops": ops });
        let request = self.http.post(self.token.clone()).json(&body);
        let response = request.timeout(TRY_LIMIT).send().await;
        let response = response.map_err(|error| unreachable(sentence(&error)))?;
        if response.status() == 404 {
            return Err(Error::NoTokens {
                url: self.token.clone(),
            });
        }
        let body: Value = response
            .json()
            .await
            .map_err(|error| unreachable(sentence(&error)))?;
        let token = body["token"].as_str().map(str::to_owned);
        token.ok_or_else(|| unreachable(body.to_string()))
    }

    /// Runs an operation to a known response, or until patience ends.
    pub async fn run(&self, token: &str, operation: &Operation) -> Response {
        let trace = Uuid::new_v4();
        let (reply, retried) =
            until_known(self.patience, || self.ask(token, operation, trace)).await;
        Response {
            reply,
            retried,
            trace,
        }
    }

    async fn ask(&self, token: &str, operation: &Operation, trace: Uuid) -> Reply {
        let body = json!({ "query": operation.text, "variables": operation.variables });
        let request = self.http.post(self.graph.clone()).json(&body);
        let request = request.headers(headers(token, trace)).timeout(TRY_LIMIT);
        let body: Result<Value, reqwest::Error> = match request.send().await {
            Ok(response) => response.json().await,
            Err(error) => Err(error),
        };
        match body {
            Ok(body) => read(&body, operation.field),
            Err(error) if error.is_timeout() => Reply::Failed("TIMEOUT".into()),
            Err(error) if error.is_connect() => Reply::Failed("NOT_CONNECTED".into()),
            Err(_) => Reply::Failed("NO_ANSWER".into()),
        }
    }
}

/// Asks again, with growing pauses, while the reply leaves open whether the effect happened, and for up to `patience`.
/// Gives the last reply, and what each one before it was, by code. `ask` must name the same idempotency key each time.
pub async fn until_known<F: Future<Output = Reply>>(
    patience: Duration,
    ask: impl Fn() -> F,
) -> (Reply, Vec<String>) {
    let until = Instant::now() + patience;
    let pauses = ExponentialBuilder::new()
        .with_min_delay(PAUSE_MIN)
        .with_max_delay(PAUSE_MAX)
        .without_max_times();
    let attempt = || async {
        let reply = ask().await;
        if is_open(&reply) {
            Err(reply)
        } else {
            Ok(reply)
        }
    };
    let mut retried = Vec::new();
    let reply = attempt
        .retry(pauses)
        .adjust(|_, pause| pause.filter(|pause| Instant::now() + *pause <= until))
        .notify(|reply, _| retried.extend(reply.code().map(str::to_owned)))
        .await;
    (reply.unwrap_or_else(|open| open), retried)
}

/// The headers of one attempt: the caller's token, and a trace that starts here, with a new span for each attempt.
pub(crate) fn headers(token: &str, trace: Uuid) -> HeaderMap {
    let span = Uuid::new_v4().simple().to_string();
    let span = span.get(..16).unwrap_or_default();
    // Source: W3C Trace Context, 3.2; the last byte says that the trace is recorded.
    let trace = format!("00-{}-{span}-01", trace.simple());
    let mut headers = HeaderMap::new();
    let header = |text: String| HeaderValue::try_from(text).ok();
    if let Some(bearer) = header(format!("Bearer {token}")) {
        headers.insert(AUTHORIZATION, bearer);
    }
    if let Some(trace) = header(trace) {
        headers.insert("traceparent", trace);
    }
    headers
}

/// An error with its causes in one line.
fn sentence(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn read(body: &Value, field: &str) -> Reply {
    if let Some(error) = body["errors"].get(0) {
        let code = error["extensions"]["code"].as_str().unwrap_or("NO_CODE");
        return Reply::Failed(code.to_owned());
    }
    let value = &body["data"][field];
    match value["userErrors"][0]["code"].as_str() {
        Some(code) => Reply::Refused(code.to_owned()),
        None => Reply::Done(value.clone()),
    }
}

/// Whether asking again may give another response.
fn is_open(reply: &Reply) -> bool {
    let Some(code) = reply.code() else {
        return false;
    };
    match ErrorCode::find(code) {
        Some(code) => code.retryable(),
        None => matches!(code, "TIMEOUT" | "NOT_CONNECTED" | "NO_ANSWER"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_done_refused_or_an_error_and_only_open_ones_are_asked_for_again() {
        let done = read(
            &json!({"data": {"pay": {"order": {"id": "1"}, "userErrors": []}}}),
            "pay",
        );
        assert_eq!(
            done,
            Reply::Done(json!({"order": {"id": "1"}, "userErrors": []}))
        );
        let user_error =
            |code| json!({"data": {"pay": {"order": null, "userErrors": [{"code": code}]}}});
        let error = |code| json!({"data": null, "errors": [{"extensions": {"code": code}}]});
        for (body, reply, open) in [
            (
                user_error("OUT_OF_STOCK"),
                Reply::Refused("OUT_OF_STOCK".into()),
                false,
            ),
            (
                user_error("IDEMPOTENCY_KEY_IN_FLIGHT"),
                Reply::Refused("IDEMPOTENCY_KEY_IN_FLIGHT".into()),
                true,
            ),
            (
                error("UNAVAILABLE"),
                Reply::Failed("UNAVAILABLE".into()),
                true,
            ),
            (error("FORBIDDEN"), Reply::Failed("FORBIDDEN".into()), false),
        ] {
            let read = read(&body, "pay");
            assert_eq!((&read, is_open(&read)), (&reply, open));
        }
        assert!(is_open(&Reply::Failed("NO_ANSWER".into())));
    }

    #[test]
    fn each_try_is_a_span_of_its_own_in_one_recorded_trace() {
        let trace = Uuid::new_v4();
        let of = |headers: HeaderMap| headers["traceparent"].to_str().unwrap().to_owned();
        let (first, second) = (of(headers("t", trace)), of(headers("t", trace)));
        assert_eq!(first.get(..36), second.get(..36));
        assert_ne!(first, second);
        assert!(first.ends_with("-01") && first.len() == 55, "{first}");
    }
}
