//! What the router refuses before anything is executed, and how it says so.
//!
//! A [`RequestError`] is one or more GraphQL errors, each with a stable `extensions.code`, and one HTTP status: that
//! of the first error. Errors of fields, which stand beside data, are written by `execute` and never come here.
//! Invariant: a message of a fault is the code's own masked sentence; the cause goes to the log alone.

use bytes::Bytes;
use http::StatusCode;
use schema::code::ErrorCode;
use serde_json::{Map, Value, json};

use crate::metrics;

/// A place in the operation's text; both count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// The line.
    pub line: usize,
    /// The column in that line.
    pub column: usize,
}

/// One entry of `errors`.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphqlError {
    /// The stable code.
    pub code: ErrorCode,
    /// One sentence for a person.
    pub message: String,
    /// Where in the operation's text.
    pub locations: Vec<Location>,
    /// More members of `extensions`; `code` is not among them.
    pub extensions: Map<String, Value>,
}

/// A request that was refused before its execution.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}: {}", .errors[0].code.as_str(), .errors[0].message)]
pub struct RequestError {
    /// Never empty.
    errors: Vec<GraphqlError>,
}

impl GraphqlError {
    /// An error with a message and nothing more.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            locations: Vec::new(),
            extensions: Map::new(),
        }
    }

    /// Adds a place in the operation's text.
    #[must_use]
    pub fn at(mut self, line: usize, column: usize) -> Self {
        self.locations.push(Location { line, column });
        self
    }

    /// The error as the JSON of one entry of `errors`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut error = Map::new();
        error.insert("message".to_owned(), Value::from(self.message.as_str()));
        if !self.locations.is_empty() {
            let places = self.locations.iter();
            let places = places.map(|at| json!({"line": at.line, "column": at.column}));
            error.insert("locations".to_owned(), places.collect());
        }
        let mut extensions = Map::new();
        extensions.insert("code".to_owned(), Value::from(self.code.as_str()));
        extensions.extend(self.extensions.clone());
        error.insert("extensions".to_owned(), Value::Object(extensions));
        Value::Object(error)
    }
}

impl RequestError {
    /// One error with its own sentence.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            errors: vec![GraphqlError::new(code, message)],
        }
    }

    /// One error with the masked sentence of its code.
    #[must_use]
    pub fn masked(code: ErrorCode) -> Self {
        Self::new(code, code.summary())
    }

    /// Several errors; an empty list counts as one internal error.
    #[must_use]
    pub fn many(errors: Vec<GraphqlError>) -> Self {
        if errors.is_empty() {
            Self::masked(ErrorCode::Internal)
        } else {
            Self { errors }
        }
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
            metrics::error(error.code);
        }
    }

    /// The errors; at least one.
    #[must_use]
    pub fn errors(&self) -> &[GraphqlError] {
        &self.errors
    }

    /// The code of the first error.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.errors
            .first()
            .map_or(ErrorCode::Internal, |first| first.code)
    }

    /// The HTTP status of an answer that says only this.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code().http()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Whether the client sent a well-formed GraphQL request, which `application/json` answers with 200.
    ///
    /// Source: GraphQL over HTTP, 6.4.1: only the operation itself was refused, by its text or its variables.
    #[must_use]
    pub fn is_about_the_operation(&self) -> bool {
        matches!(
            self.code(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_error_is_a_response_without_data() {
        let error = RequestError::many(vec![
            GraphqlError::new(ErrorCode::GraphqlValidationFailed, "no field x").at(1, 3),
        ])
        .with("limit", 12);
        assert_eq!(error.status(), StatusCode::BAD_REQUEST);
        assert_eq!(
            error.to_body(),
            r#"{"errors":[{"message":"no field x","locations":[{"line":1,"column":3}],"extensions":{"code":"GRAPHQL_VALIDATION_FAILED","limit":12}}]}"#
        );
    }

    #[test]
    fn an_empty_list_of_errors_is_still_an_error() {
        assert_eq!(RequestError::many(Vec::new()).code(), ErrorCode::Internal);
    }
}
