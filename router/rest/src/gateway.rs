//! Serves a table of routes as grpc-gateway would. Source: docs/contracts.md §3, "gateway JSON".

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::Request,
    http::{self, HeaderMap, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
    routing::{MethodFilter, get, on},
};
use schema::code::ErrorCode;
use utoipa_swagger_ui::SwaggerUi;

use super::{
    config::WrongMethod,
    error::Problem,
    home,
    json::Fields,
    openapi,
    route::{Incoming, Method, Route},
    shim::Shim,
    surface,
};

/// What the page at `/` says to a person.
const ABOUT: &str = "JSON over HTTP for the gRPC service of this name.";

/// Serves a table of routes, its document at `/swagger.json` and `/openapi.json`, and Swagger UI at `/docs`.
pub(super) fn serve(
    surface: &'static str,
    title: &'static str,
    routes: &'static [Route],
    shim: &Arc<Shim>,
) -> Router {
    let document = openapi::document(title, routes);
    let copy = document.clone();
    let mut router =
        Router::from(SwaggerUi::new("/docs").external_url_unchecked("/swagger.json", document))
            .route("/openapi.json", get(async move || Json(copy)));
    let wrong_method = shim.options.wrong_method;
    for route in routes {
        let filter = match route.method {
            Method::Get => MethodFilter::GET,
            Method::Post => MethodFilter::POST,
        };
        let shim = Arc::clone(shim);
        let respond = async move |request: Request| respond(&shim, route, request).await;
        let refuse = async move |method: http::Method| method_not_allowed(&method, wrong_method);
        router = router.route(route.path, on(filter, respond).fallback(refuse));
    }
    let home = async move |headers: HeaderMap| {
        home::page(title, ABOUT, &headers).unwrap_or_else(not_found)
    };
    let router = router
        .route("/", get(home).fallback(async || not_found()))
        .fallback(async || not_found());
    surface::finish(surface, router, &shim.accounts, Problem::gateway)
}

async fn respond(shim: &Shim, route: &Route, request: Request) -> Response {
    let called = async {
        let incoming = read(route.method, request).await?;
        (route.call)(shim, incoming).await
    };
    let mut response = match called.await {
        Ok(reply) => Json(reply).into_response(),
        Err(problem) => problem.gateway(),
    };
    response.headers_mut().insert(
        "grpc-metadata-content-type",
        HeaderValue::from_static("application/grpc"),
    );
    response
}

async fn read(method: Method, request: Request) -> Result<Incoming, Problem> {
    let (head, body) = request.into_parts();
    let fields = match method {
        Method::Get => Fields::from_query(head.uri.query().unwrap_or_default())?,
        Method::Post => Fields::read(&surface::body(body).await?)?,
    };
    Ok(Incoming {
        fields,
        headers: head.headers,
    })
}

/// An unknown path: 404, code 5. Source: docs/contracts.md §3.
fn not_found() -> Response {
    Problem::refused(ErrorCode::NotFound, "Not Found").gateway()
}

/// A known path with another method: 501, code 12, or 405 when so configured. Source: docs/contracts.md §3 and §9.
///
/// TRACE, which no client of an API sends, is always 405: what looks for faults takes a 501 for one.
fn method_not_allowed(method: &http::Method, wrong_method: WrongMethod) -> Response {
    let mut response =
        Problem::refused(ErrorCode::MethodNotAllowed, "Method Not Allowed").gateway();
    *response.status_mut() = match wrong_method {
        WrongMethod::NotImplemented if method != http::Method::TRACE => StatusCode::NOT_IMPLEMENTED,
        WrongMethod::NotImplemented | WrongMethod::MethodNotAllowed => {
            StatusCode::METHOD_NOT_ALLOWED
        }
    };
    response
}
