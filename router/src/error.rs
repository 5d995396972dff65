//! What a refused request looks like over HTTP.
//!
//! A refusal itself is [`RequestError`]: GraphQL errors with stable codes. Here is only what HTTP makes of it.
//! Invariant: a fault's cause goes to the log alone; the client gets the code's masked sentence.

use http::StatusCode;
use schema::code::ErrorCode;
use serde_json::Value;

pub use crate::operation::RequestError;

/// The HTTP status of an answer that says only this error.
#[must_use]
pub fn status(error: &RequestError) -> StatusCode {
    StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Whether the client sent a well-formed request whose operation was refused; `application/json` answers that with 200.
///
/// Source: GraphQL over HTTP, 6.4.1.
#[must_use]
pub fn is_about_the_operation(error: &RequestError) -> bool {
    matches!(
        error.code(),
        ErrorCode::GraphqlParseFailed
            | ErrorCode::GraphqlValidationFailed
            | ErrorCode::OperationNotFound
            | ErrorCode::BadVariables
            | ErrorCode::LimitExceeded
            | ErrorCode::PersistedOperationNotFound
    )
}

/// Adds a member to the first error's `extensions`.
#[must_use]
pub fn with(mut error: RequestError, name: &str, value: impl Into<Value>) -> RequestError {
    if let Some(first) = error.errors.first_mut() {
        first.extensions.insert(name.to_owned(), value.into());
    }
    error
}
