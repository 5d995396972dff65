//! GraphQL over WebSocket: the subprotocol `graphql-transport-ws`, for queries, mutations and subscriptions.
//!
//! The router takes the socket from its HTTP library and reads and writes it itself, for thousands of sockets that are quiet
//! nearly always: `reader` has a buffer while there is something to read, `writer` writes frames, and there is no task but
//! those of `session`, which is one socket on which operations are multiplexed, and of its operations. `message` is what goes over
//! the wire (`token` finds tokens in it, `close` has the codes). A subscription resumes with `extensions.resume` of its `subscribe`
//! message; each frame carries `extensions.cursor`.
//! Invariant: a socket that cannot be written to for the slow-client limit is closed; what it had is never skipped.

mod close;
mod message;
mod reader;
mod session;
mod token;
mod writer;

use std::sync::Arc;

use axum::{
    http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header, request::Parts},
    response::{IntoResponse, Response},
};
use chassis::listen::switching;
use schema::code::ErrorCode;
use tungstenite::handshake::server::create_response;

use super::{csrf, gateway::Gateway, negotiate::Media, origin::Origin, refusal::refusal};
use crate::error::RequestError;

/// Upgrades a GET.
pub(super) fn upgrade(gateway: Arc<Gateway>, parts: &Parts) -> Response {
    let origin = match check(&gateway, parts) {
        Ok(origin) => origin,
        Err(error) => return refusal(&error, Media::GraphqlResponse),
    };
    let mut head = match handshake(parts) {
        Ok(head) => head,
        Err(why) => return why.into_response(),
    };
    let is_offered = offers(&parts.headers);
    if is_offered {
        let protocol = HeaderValue::from_static(message::PROTOCOL);
        head.headers_mut()
            .insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    let tracked = gateway.drain.track();
    switching(head, move |wire| {
        session::serve(gateway, wire, origin, tracked, is_offered)
    })
}

/// The head of the answer to an opening handshake.
///
/// # Errors
/// How what is none is answered.
fn handshake(parts: &Parts) -> Result<axum::http::Response<()>, (StatusCode, String)> {
    // HTTP/2 opens sockets in another way, which is not served.
    if parts.version != Version::HTTP_11 {
        let why = "WebSocket is served over HTTP/1.1".to_owned();
        return Err((StatusCode::HTTP_VERSION_NOT_SUPPORTED, why));
    }
    let mut request = axum::http::Request::new(());
    *request.method_mut() = Method::GET;
    request.headers_mut().clone_from(&parts.headers);
    create_response(&request).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))
}

/// Whether the client offers the subprotocol, perhaps among others. Source: RFC 6455, 4.1.
fn offers(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let names = lines.filter_map(|line| line.to_str().ok());
    names
        .flat_map(|line| line.split(','))
        .any(|name| name.trim() == message::PROTOCOL)
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
