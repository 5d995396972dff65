//! GraphQL over WebSocket: the subprotocol `graphql-transport-ws`, for queries, mutations and subscriptions.
//!
//! `message` is what goes over the wire, `session` is one socket, `operate` one operation on it. A subscription resumes
//! with `extensions.resume` of its `subscribe` message; each frame carries `extensions.cursor`.
//! Invariant: a socket that cannot be written to for the slow-client limit is closed; what it had is never skipped.

mod message;
mod operate;
mod session;

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, ws::WebSocketUpgrade},
    http::request::Parts,
    response::{IntoResponse, Response},
};
use schema::code::ErrorCode;

use super::{Gateway, auth, http, negotiate::Media, operation::Origin, telemetry};
use crate::error::RequestError;

/// Upgrades a GET; a page of a foreign origin is refused, since browsers let it open sockets without asking.
pub(super) async fn upgrade(gateway: Arc<Gateway>, parts: &mut Parts) -> Response {
    if gateway.origins.is_foreign(&parts.headers) {
        return http::refusal(
            &RequestError::masked(ErrorCode::CsrfRefused),
            Media::GraphqlResponse,
        );
    }
    if gateway.drain.has_begun() {
        return http::refusal(
            &RequestError::masked(ErrorCode::ServerDraining),
            Media::GraphqlResponse,
        );
    }
    let caller = match auth::caller(&gateway.verifier, &parts.headers) {
        Ok(caller) => caller,
        Err(error) => return http::refusal(&error, Media::GraphqlResponse),
    };
    let origin = Origin {
        caller,
        idempotency_key: None,
        traceparent: telemetry::traceparent(&parts.headers),
        address: http::address(parts),
    };
    let upgrade = match WebSocketUpgrade::from_request_parts(parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    let limit = gateway.config.http.body_limit_bytes;
    let tracked = gateway.drain.track();
    upgrade
        .protocols([message::PROTOCOL])
        .max_message_size(limit)
        .max_frame_size(limit)
        .on_upgrade(move |socket| async move {
            session::serve(gateway, socket, origin).await;
            drop(tracked);
        })
}
