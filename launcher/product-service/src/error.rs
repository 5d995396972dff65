//! What callers get when they get no product: `{"code", "message"}`, with the code numbers of the service that we stand
//! in for. A code from 600 on is a validation failure and comes with status 422; code 1 is "not in the catalogue".
//! Source: docs/contracts.md §2.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

/// The body of every refusal.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    /// 1 when the product is not in the catalogue; 600 and above when an argument is out of its bounds; else the status.
    pub code: u16,
    /// One sentence for people.
    pub message: String,
}

/// Why a request was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("product not found")]
    NotInCatalogue,
    #[error("unauthenticated for invalid credentials")]
    NoKey,
    #[error("invalid api key auth")]
    WrongKey,
    #[error("{name} in {place} must be of type {kind}: {given:?}")]
    WrongType {
        name: &'static str,
        place: &'static str,
        kind: &'static str,
        given: String,
    },
    #[error("{name} in {place} should be less than or equal to {most}")]
    TooLarge {
        name: &'static str,
        place: &'static str,
        most: i64,
    },
    #[error("{name} in {place} should be greater than or equal to {least}")]
    TooSmall {
        name: &'static str,
        place: &'static str,
        least: i64,
    },
    #[error("path {0} was not found")]
    NoSuchPath(String),
    #[error("method {0} is not allowed, but [GET] are")]
    WrongMethod(String),
    #[error("this answer is wrong on purpose: see /faults")]
    Injected(u16),
    #[error("not a set of faults: {0}")]
    BadFaults(String),
}

impl Refusal {
    fn status_and_code(&self) -> (StatusCode, u16) {
        match self {
            Self::NotInCatalogue => (StatusCode::NOT_FOUND, 1),
            Self::NoKey | Self::WrongKey => (StatusCode::UNAUTHORIZED, 401),
            Self::WrongType { .. } => (StatusCode::UNPROCESSABLE_ENTITY, 601),
            Self::TooLarge { .. } => (StatusCode::UNPROCESSABLE_ENTITY, 608),
            Self::TooSmall { .. } => (StatusCode::UNPROCESSABLE_ENTITY, 609),
            Self::NoSuchPath(_) => (StatusCode::NOT_FOUND, 404),
            Self::WrongMethod(_) => (StatusCode::METHOD_NOT_ALLOWED, 405),
            Self::Injected(status) => {
                let as_status = StatusCode::from_u16(*status);
                (
                    as_status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
                    *status,
                )
            }
            Self::BadFaults(_) => (StatusCode::UNPROCESSABLE_ENTITY, 601),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code) = self.status_and_code();
        (
            status,
            Json(ErrorBody {
                code,
                message: self.to_string(),
            }),
        )
            .into_response()
    }
}
