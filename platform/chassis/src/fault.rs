//! Where an error becomes an answer: GraphQL error, gRPC status or HTTP response. The only such place.
//!
//! A refusal speaks its own sentence. A fault shows one masked sentence to the client and is logged here, once,
//! with its chain.

use std::time::Duration;

use async_graphql::ErrorExtensionValues;
use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, StatusCode, header};
use schema::{
    code::{ErrorCode, Outcome},
    shortage::Shortage,
};
use serde_json::json;

/// Metadata that says when to try again, in milliseconds. Source: gRPC proposal A6, "Pushback".
pub const PUSHBACK: &str = "grpc-retry-pushback-ms";
/// How long a caller should wait who was told to come again and not when.
const PAUSE: Duration = Duration::from_secs(1);

/// An error that has one row in the table of codes.
pub trait Coded: std::error::Error {
    /// The row.
    fn code(&self) -> ErrorCode;

    /// Path of the input field that is at fault, if one is.
    fn field(&self) -> Option<Vec<String>> {
        None
    }

    /// Of which product there is too little, and how much there is, where that is the reason.
    fn shortage(&self) -> Option<Shortage> {
        None
    }

    /// How long the caller should wait before it asks again, in whole seconds, where that is known.
    fn retry_after(&self) -> Option<Duration> {
        None
    }
}

/// Whether the caller can mend it: nothing happened, and a retry as it is cannot help.
#[must_use]
pub fn is_refusal(error: &impl Coded) -> bool {
    let code = error.code();
    code.outcome() == Outcome::Refused && code != ErrorCode::Overloaded
}

/// The sentence that a client may read: the error's own for a refusal, the table's for a fault.
pub fn public_message(error: &impl Coded) -> String {
    if is_refusal(error) {
        return error.to_string();
    }
    let code = error.code();
    if code == ErrorCode::Internal {
        tracing::error!(code = code.as_str(), error = %chain(error), "fault");
    } else {
        tracing::warn!(code = code.as_str(), error = %chain(error), "fault");
    }
    code.summary().to_owned()
}

/// A GraphQL error with `extensions.code`, `extensions.retryable` where a retry can help, and
/// `extensions.retryAfterSeconds` where it is known when.
pub fn graphql(error: impl Coded) -> async_graphql::Error {
    let code = error.code();
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", code.as_str());
    if code.retryable() {
        extensions.set("retryable", true);
    }
    if let Some(wait) = pause(&error) {
        extensions.set("retryAfterSeconds", wait.as_secs());
    }
    let mut answer = async_graphql::Error::new(public_message(&error));
    answer.extensions = Some(extensions);
    answer
}

/// After how long a caller should come again: as the error says, and after [`PAUSE`] where there was too much to do.
fn pause(error: &impl Coded) -> Option<Duration> {
    let is_too_much = matches!(error.code(), ErrorCode::Overloaded | ErrorCode::RateLimited);
    error.retry_after().or_else(|| is_too_much.then_some(PAUSE))
}

/// A gRPC status with the code of the table; its metadata says when to come again, as gRPC's and as HTTP's clients read it.
pub fn status(error: impl Coded) -> tonic::Status {
    let code = tonic::Code::from_i32(i32::from(error.code().grpc()));
    let mut status = tonic::Status::new(code, public_message(&error));
    if let Some(wait) = pause(&error) {
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let metadata = status.metadata_mut();
        metadata.insert(PUSHBACK, millis.into());
        metadata.insert("retry-after", wait.as_secs().into());
    }
    status
}

/// A plain HTTP answer `{"code", "message"}` with the status of the table; 401 says how to authenticate (RFC 9110
/// §15.5.2).
pub fn response(error: impl Coded) -> Response {
    let code = error.code();
    let status = StatusCode::from_u16(code.http()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = json!({ "code": code.as_str(), "message": public_message(&error) });
    let mut response = (status, Json(body)).into_response();
    if let Some(wait) = pause(&error) {
        let seconds = HeaderValue::from(wait.as_secs());
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    if code == ErrorCode::Unauthenticated {
        let challenge = HeaderValue::from_static("Bearer");
        let headers = response.headers_mut();
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// The error and its sources in one line, for the log.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("password=hunter2 at 10.0.0.1")]
    struct Sample(ErrorCode);

    impl Coded for Sample {
        fn code(&self) -> ErrorCode {
            self.0
        }
    }

    #[test]
    fn who_asks_for_too_much_is_told_on_every_interface_when_to_come_again() {
        for code in [ErrorCode::Overloaded, ErrorCode::RateLimited] {
            let refused = graphql(Sample(code)).extensions.unwrap();
            let seconds = refused.get("retryAfterSeconds").unwrap();
            assert_eq!(seconds, &async_graphql::Value::from(1));
            let refused = status(Sample(code)).into_http::<()>();
            assert_eq!(refused.headers()[PUSHBACK], "1000");
            assert_eq!(refused.headers()["retry-after"], "1");
            assert_eq!(response(Sample(code)).headers()["retry-after"], "1");
        }
        let lost = status(Sample(ErrorCode::Unavailable)).into_http::<()>();
        assert!(!lost.headers().contains_key("retry-after"));
    }

    #[test]
    fn a_fault_is_masked_and_a_refusal_speaks() {
        assert_eq!(
            graphql(Sample(ErrorCode::Internal)).message,
            "an internal error"
        );
        assert_eq!(
            status(Sample(ErrorCode::Unavailable)).code(),
            tonic::Code::Unavailable
        );
        assert!(
            !status(Sample(ErrorCode::Unavailable))
                .message()
                .contains("hunter2")
        );
        assert_eq!(
            graphql(Sample(ErrorCode::OutOfStock)).message,
            "password=hunter2 at 10.0.0.1"
        );
    }
}
