//! A request that is refused: its status, its headers and its body, in the form that the client accepts.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use schema::code::ErrorCode;

use super::{
    delivery,
    negotiate::{self, Media},
    rate_limit,
};
use crate::error::RequestError;

/// A response that is only a refusal.
pub(super) fn refusal(error: &RequestError, media: Media) -> Response {
    let about_operation = error.is_about_the_operation();
    if about_operation && matches!(media, Media::EventStream | Media::Multipart) {
        return delivery::refused(error, media);
    }
    let (content_type, status) = if media == Media::Json && about_operation {
        (negotiate::JSON, StatusCode::OK)
    } else if media == Media::Json {
        (negotiate::JSON, error.status())
    } else {
        (negotiate::GRAPHQL_RESPONSE, error.status())
    };
    error.count();
    let mut response = (status, error.to_body()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    rate_limit::retry_after(error, headers);
    match error.code() {
        ErrorCode::MethodNotAllowed => {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        ErrorCode::UnsupportedMediaType => {
            let plain = HeaderValue::from_static("identity");
            headers.insert(header::ACCEPT_ENCODING, plain);
        }
        ErrorCode::Unauthenticated => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        _ => {}
    }
    response
}
