//! The router's listener: everything that clients of GraphQL speak.
//!
//! A request over HTTP takes these steps, in this order:
//!
//! 1. `chassis::listen` accepts the connection; `front` lets an operation through and gives the rest to the routes; `telemetry`
//!    opens the request's span; `cors` answers preflights.
//! 2. `http` takes the request; a GET that upgrades goes on in `websocket`. `single_connection` has routes of its own; both
//!    have several operations at once (`multiplex`).
//! 3. `negotiate` reads which forms the client accepts; `csrf` refuses what a page of another site sent.
//! 4. `request` receives the body, or the query string, and reads the GraphQL request in it.
//! 5. `origin` says who calls (`auth`), with which idempotency key, in which trace, from which address.
//! 6. `gateway` finds the text (`documents`), prepares the operation, charges it to its caller, and runs it.
//! 7. `delivery` writes a stream, as SSE or multipart; `refusal` writes what was refused in any step.
//!
//! Beside it, `tokens` issues the demo's tokens and `playground` serves the pages.
//! Invariant: a query dies with its client; a mutation that began runs to its end.

mod auth;
mod cors;
mod csrf;
mod delivery;
mod documents;
mod front;
mod gateway;
mod http;
mod multiplex;
mod negotiate;
mod origin;
mod playground;
mod rate_limit;
mod refusal;
mod request;
mod single_connection;
mod telemetry;
mod tokens;
mod websocket;

use std::sync::Arc;

use axum::{
    Router,
    http::{HeaderName, HeaderValue, header},
    middleware,
    response::{Redirect, Response},
    routing,
};
use tower::{ServiceBuilder, util::MapResponseLayer};

pub(crate) use documents::{Documents, DocumentsError};
pub(crate) use front::Front;
pub(crate) use gateway::Gateway;
pub(crate) use tokens::Issuer;

/// Where operations are sent.
const OPERATIONS: &str = "/graphql";

/// What browsers are told of every response that says nothing else itself: no guessing of its type, no copies, no frames.
const PROTECTION: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    ),
];

/// What serves the client listener: its routes, `others` among them.
pub(crate) fn service(gateway: Arc<Gateway>, issuer: Issuer, others: Router) -> Front {
    Front {
        routes: routes(Arc::clone(&gateway), issuer, others),
        gateway,
    }
}

fn routes(gateway: Arc<Gateway>, issuer: Issuer, others: Router) -> Router {
    telemetry::announce();
    let cors = cors::layer(gateway.origins.clone());
    let config = gateway.config.clone();
    let graphql = routing::get(http::get)
        .post(http::post)
        .fallback(http::other_method);
    let mut router = Router::new()
        .route(OPERATIONS, graphql)
        .route("/schema.graphql", routing::get(http::schema))
        .with_state(Arc::clone(&gateway))
        .merge(single_connection::routes(gateway))
        .merge(tokens::routes(issuer));
    if let Some(console) = &config.console_url {
        let page = format!("{}/ops", console.trim_end_matches('/'));
        let leads = routing::get(async move || Redirect::temporary(&page));
        router = router.route("/ops", leads);
    }
    if config.playground_enabled {
        router = router.merge(playground::routes(config.playground, config.http.compress));
    }
    // Each `Router::layer` boxes every route, and every request in it, once more: so there are two and not six.
    let layers = ServiceBuilder::new()
        .layer(middleware::from_fn(telemetry::observe))
        .layer(cors);
    let protection = MapResponseLayer::new(protected);
    router.layer(layers).merge(others).layer(protection)
}

fn protected(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in PROTECTION {
        let own = headers.entry(name);
        own.or_insert(HeaderValue::from_static(value));
    }
    response
}
