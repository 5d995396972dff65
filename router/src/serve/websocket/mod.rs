//! GraphQL over WebSocket: the subprotocol `graphql-transport-ws`, for queries, mutations and subscriptions.
//!
//! `session` is one socket, on which operations are multiplexed, `message` is what goes over the wire (`token` finds tokens in it, `close` has the codes), `writer` the only place that sends. A subscription
//! resumes with `extensions.resume` of its `subscribe` message; each frame carries `extensions.cursor`.
//! Invariant: a socket that cannot be written to for the slow-client limit is closed; what it had is never skipped.

mod close;
mod message;
mod session;
mod token;
mod writer;

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, ws::WebSocketUpgrade},
    http::request::Parts,
    response::{IntoResponse, Response},
};
use schema::code::ErrorCode;

use super::{csrf, gateway::Gateway, negotiate::Media, origin::Origin, refusal::refusal};
use crate::error::RequestError;

/// What a socket reads at once, in bytes: most messages are shorter. The buffer is there for as long as the socket is, and is
/// cleared each time the socket is looked at; a longer message makes it grow until it is read.
const READ_BUFFER: usize = 512;

/// Upgrades a GET.
pub(super) async fn upgrade(gateway: Arc<Gateway>, parts: &mut Parts) -> Response {
    let origin = match check(&gateway, parts) {
        Ok(origin) => origin,
        Err(error) => return refusal(&error, Media::GraphqlResponse),
    };
    let upgrade = match WebSocketUpgrade::from_request_parts(parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    let limit = gateway.config.http.body_limit_bytes;
    let tracked = gateway.drain.track();
    let mut response = upgrade
        .protocols([message::PROTOCOL])
        .read_buffer_size(READ_BUFFER)
        .max_message_size(limit)
        .max_frame_size(limit)
        .on_upgrade(move |socket| {
            // In a task of its own, since that of the upgrade has room for all that upgrading takes.
            let tasks = gateway.tasks.clone();
            let _task = tasks.spawn(
                "websocket",
                session::serve(gateway, socket, origin, tracked),
            );
            std::future::ready(())
        });
    // In the letters of the request: Python's gql looks for its subprotocol as it wrote the name.
    response.extensions_mut().extend(parts.extensions.clone());
    response
}

/// Refuses a page of a foreign origin, since browsers let it open sockets without asking.
fn check(gateway: &Gateway, parts: &Parts) -> Result<Origin, RequestError> {
    if gateway.origins.is_foreign(&parts.headers) {
        return Err(csrf::foreign_page(&parts.headers));
    }
    if gateway.drain.has_begun() {
        return Err(RequestError::masked(ErrorCode::ServerDraining));
    }
    let proxies = &gateway.config.http.trusted_proxies;
    Origin::of_socket(&gateway.callers, parts, proxies)
        .inspect_err(|_| gateway.charge_refused(parts))
        .map(|origin| gateway.with_headers(origin, parts))
}
