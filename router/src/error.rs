//! What the router refuses before anything is executed, and how it says so.
//!
//! A [`RequestError`] is one or more GraphQL errors and one HTTP status: that of the first error's code in the shop's
//! table. Refusals of the engine become one by `?`.
//! Invariant: a message of a fault is the code's own masked sentence; the cause goes to the log alone.

use std::time::Duration;

use bytes::Bytes;
use chassis::{admission::Refusal, fault::Coded as _, request_rules::Unfit};
use federation::{Code, GraphqlError};
use http::StatusCode;
use schema::code::ErrorCode;
use serde_json::{Value, json};

use crate::engine;

/// The member of a refusal's `extensions` with the seconds until a retry can succeed.
pub(crate) const RETRY_AFTER_SECONDS: &str = "retryAfterSeconds";

/// The limit of streams that one caller may hold, as refusals name it.
pub(crate) const PER_CALLER_MAX: &str = "stream.per_caller_max";

/// A request that was refused before its execution.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}: {}", .code.as_str(), .errors[0].message)]
pub struct RequestError {
    /// Of the first error.
    code: ErrorCode,
    /// Never empty.
    errors: Vec<GraphqlError>,
}

impl RequestError {
    /// One error with its own sentence.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            errors: vec![GraphqlError::new(Code::new(code.as_str()), message)],
        }
    }

    /// One error with the masked sentence of its code.
    #[must_use]
    pub fn masked(code: ErrorCode) -> Self {
        Self::new(code, code.summary())
    }

    /// Adds a member to the first error's `extensions`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        if let Some(first) = self.errors.first_mut() {
            first.extensions.insert(name.to_owned(), value.into());
        }
        self
    }

    /// Counts the errors by code; a transport does so when it hands them to its client.
    pub(crate) fn count(&self) {
        for error in &self.errors {
            engine::count_errors(error.code, 1);
        }
    }

    /// The errors; at least one.
    #[must_use]
    pub fn errors(&self) -> &[GraphqlError] {
        &self.errors
    }

    /// The code of the first error.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// When a retry can succeed, where that is known.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let first = self.errors.first()?;
        let seconds = first.extensions.get(RETRY_AFTER_SECONDS)?.as_u64()?;
        Some(Duration::from_secs(seconds))
    }

    /// Whether the caller itself holds what it asks for more of.
    pub(crate) fn is_own_limit(&self) -> bool {
        let limit = self
            .errors
            .first()
            .and_then(|first| first.extensions.get("limit"));
        limit.is_some_and(|limit| limit == PER_CALLER_MAX)
    }

    /// The HTTP status of a response that says only this.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.http()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Whether the client sent a well-formed GraphQL request, which `application/json` answers with 200.
    ///
    /// Source: GraphQL over HTTP, 6.4.1: only the operation itself was refused, by its text or its variables.
    #[must_use]
    pub fn is_about_the_operation(&self) -> bool {
        matches!(
            self.code,
            ErrorCode::GraphqlParseFailed
                | ErrorCode::GraphqlValidationFailed
                | ErrorCode::OperationNotFound
                | ErrorCode::BadVariables
                | ErrorCode::LimitExceeded
                | ErrorCode::PersistedOperationNotFound
        )
    }

    /// `[..]` as it stands in `errors`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        self.errors.iter().map(GraphqlError::to_json).collect()
    }

    /// `{"errors": [..]}`, without `data`: nothing was executed.
    #[must_use]
    pub fn to_body(&self) -> Bytes {
        Bytes::from(json!({"errors": self.to_json()}).to_string())
    }
}

impl From<federation::RequestError> for RequestError {
    fn from(refused: federation::RequestError) -> Self {
        Self {
            code: ErrorCode::find(refused.code().as_str()).unwrap_or(ErrorCode::Internal),
            errors: refused.into_errors(),
        }
    }
}

impl From<Refusal> for RequestError {
    fn from(refused: Refusal) -> Self {
        Self::new(refused.code(), refused.to_string())
            .with(RETRY_AFTER_SECONDS, refused.retry_after.as_secs())
    }
}

impl From<Unfit> for RequestError {
    fn from(unfit: Unfit) -> Self {
        Self::new(unfit.code(), unfit.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_of_the_engine_keeps_its_errors_and_has_a_status() {
        let invalid = GraphqlError::new(Code::GRAPHQL_VALIDATION_FAILED, "no field x").at(1, 3);
        let error = federation::RequestError::many(vec![invalid]).with("limit", 12);
        let error = RequestError::from(error);
        assert_eq!(error.status(), StatusCode::BAD_REQUEST);
        assert_eq!(
            error.to_body(),
            r#"{"errors":[{"message":"no field x","locations":[{"line":1,"column":3}],"extensions":{"code":"GRAPHQL_VALIDATION_FAILED","limit":12}}]}"#
        );
    }
}
