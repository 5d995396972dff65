//! The way in: an operation that no page of another site sends goes straight to where operations are served, past the table of
//! routes, the boxes around each of its layers and what `cors` works out for browsers. The rest goes to the routes.
//!
//! Invariant: both ways do the same to a request and its response, but for the headers that only a page of another site can
//! read.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderValue, Method, header},
    response::Response,
};
use futures::future::BoxFuture;
use tower::Service;

use super::{OPERATIONS, gateway::Gateway, http, protected, telemetry};

/// What serves the client listener.
#[derive(Debug, Clone)]
pub(crate) struct Front {
    pub(super) gateway: Arc<Gateway>,
    pub(super) routes: Router,
}

impl Service<Request> for Front {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // As the routes are.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        if !is_straight(&request) {
            return Box::pin(self.routes.call(request));
        }
        let gateway = Arc::clone(&self.gateway);
        Box::pin(async move {
            let serve = |request| http::post(State(gateway), request);
            let mut response = telemetry::observed(request, OPERATIONS, serve).await;
            let origin = HeaderValue::from_static("origin");
            response.headers_mut().append(header::VARY, origin);
            Ok(protected(response))
        })
    }
}

fn is_straight(request: &Request) -> bool {
    let is_operation = request.method() == Method::POST && request.uri().path() == OPERATIONS;
    is_operation && !request.headers().contains_key(header::ORIGIN)
}
