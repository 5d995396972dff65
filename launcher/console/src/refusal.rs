//! A request that the console refuses: its status, and a body of the form `{"error": {"code", "message"}}`.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chassis::fault::Coded as _;
use chassis::principal::Denied;
use schema::code::ErrorCode;
use serde_json::json;

/// How long a client should wait before it asks again for what is away.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("2");

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// No operator calls.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// It is not there, or not in this profile.
    #[error("{0}")]
    NotFound(String),
    /// An argument breaks its bounds.
    #[error("{0}")]
    Argument(String),
    /// It goes on already, or cannot be done here.
    #[error("{0}")]
    Conflict(String),
    /// Something that it needs does not answer.
    #[error("{0}")]
    Away(String),
}

impl Refusal {
    const fn status(&self) -> StatusCode {
        match self {
            Self::Denied(Denied::Unauthenticated) => StatusCode::UNAUTHORIZED,
            Self::Denied(Denied::Forbidden) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Argument(_) => StatusCode::BAD_REQUEST,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Away(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Denied(denied) => denied.code().as_str(),
            Self::NotFound(_) => ErrorCode::NotFound.as_str(),
            Self::Argument(_) => ErrorCode::InvalidArgument.as_str(),
            // The table of the graph has none for it: nothing there is one of a kind.
            Self::Conflict(_) => "CONFLICT",
            Self::Away(_) => ErrorCode::Unavailable.as_str(),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({ "error": { "code": self.code(), "message": self.to_string() } });
        let mut response = (self.status(), Json(body)).into_response();
        let headers = response.headers_mut();
        match self {
            Self::Denied(Denied::Unauthenticated) => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::Away(_) => {
                headers.insert(header::RETRY_AFTER, RETRY_SECONDS);
            }
            _ => {}
        }
        response
    }
}
