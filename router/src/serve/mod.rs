//! The router's listener: everything that clients of GraphQL speak.
//!
//! In: bytes of HTTP, SSE, WebSocket and multipart clients. Out: the same answers and frames on each. `http` takes a
//! request in, `negotiate` and `request` refuse what is malformed, `auth` says who calls, `operation` runs what was
//! prepared; `delivery` writes a stream with `sse` or `multipart`, and `websocket` is a protocol of its own.
//! Invariant: a query dies with its client; a mutation that began runs to its end.

mod auth;
mod delivery;
mod http;
pub mod listener;
mod multipart;
mod negotiate;
mod operation;
pub mod playground;
pub(crate) mod probe;
mod rate;
mod request;
mod sse;
pub mod telemetry;
mod websocket;

use std::sync::Arc;

use axum::{
    Router,
    http::{HeaderName, HeaderValue, Method, header},
    middleware,
    routing::MethodFilter,
};
use chassis::{clock::Clock, principal::Verifier, tasks::Tasks};
use tower_http::cors::{AllowOrigin, CorsLayer};

pub(crate) use auth::Issuer;
use negotiate::Origins;
use rate::RateLimiter;

use crate::{
    config::Config,
    engine::Engine,
    stream::{Drain, Hub},
};

/// What every request needs.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) engine: Arc<Engine>,
    pub(crate) hub: Hub,
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) drain: Drain,
    pub(crate) tasks: Tasks,
    pub(crate) config: Config,
    rate: RateLimiter,
    origins: Origins,
}

impl Gateway {
    /// Gathers the parts.
    pub(crate) fn new(
        engine: Arc<Engine>,
        hub: Hub,
        verifier: Arc<Verifier>,
        drain: Drain,
        tasks: Tasks,
        config: Config,
        clock: Clock,
    ) -> Arc<Self> {
        let rate = RateLimiter::new(config.rate_limit.clone(), clock);
        let origins = Origins::new(&config.http.allowed_origins);
        Arc::new(Self {
            engine,
            hub,
            verifier,
            drain,
            tasks,
            config,
            rate,
            origins,
        })
    }
}

/// The routes of the client listener.
pub(crate) fn routes(gateway: Arc<Gateway>, issuer: Issuer) -> Router {
    telemetry::announce();
    let cors = cors(gateway.origins.clone());
    let playground = gateway.config.playground.clone();
    let playground_enabled = gateway.config.playground_enabled;
    let graphql = axum::routing::on(MethodFilter::GET, http::get)
        .on(MethodFilter::POST, http::post)
        .fallback(http::other_method);
    let mut router = Router::new().route("/graphql", graphql).with_state(gateway);
    router = router.merge(auth::routes(issuer));
    if playground_enabled {
        router = router.merge(playground::routes(playground));
    }
    router
        .layer(cors)
        .layer(middleware::from_fn(telemetry::observe))
}

fn cors(origins: Origins) -> CorsLayer {
    let allowed = move |origin: &HeaderValue, _: &axum::http::request::Parts| {
        origin.to_str().is_ok_and(|origin| origins.allows(origin))
    };
    let exposed = ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"];
    let accepted = [
        "idempotency-key",
        "last-event-id",
        "graphql-require-preflight",
        "traceparent",
    ];
    let apollo = ["apollo-require-preflight", "x-apollo-operation-name"];
    let headers = accepted
        .into_iter()
        .chain(apollo)
        .map(HeaderName::from_static);
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(allowed))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(
            headers
                .chain([header::AUTHORIZATION, header::CONTENT_TYPE])
                .collect::<Vec<_>>(),
        )
        .expose_headers(
            exposed
                .map(HeaderName::from_static)
                .into_iter()
                .chain([header::RETRY_AFTER])
                .collect::<Vec<_>>(),
        )
}
