//! What both gateways share: grpc-gateway's manners, and a document of the very table the routes come from.
//!
//! A gateway is a list of [`Route`]s. The axum router and the OpenAPI document are both made from it, so a route that
//! is served is documented and the other way round. Source: docs/contracts.md §3, "gateway JSON".

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
    routing::{MethodFilter, on},
};
use futures::future::BoxFuture;
use schema::code::ErrorCode;
use serde::Serialize;
use serde_json::Value;
use utoipa_swagger_ui::SwaggerUi;

use super::{WrongMethod, error::Problem, json::Fields, openapi, surface};

/// The two methods that the contract uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// The message is in the query.
    Get,
    /// The message is the body.
    Post,
}

/// The form of one field, on the way in and out.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A string of digits on the way out; a string or a number on the way in.
    Int64,
    /// A number.
    Uint32,
    /// Text.
    Text,
    /// RFC 3339 in UTC.
    Timestamp,
    /// A list of messages with these fields.
    List(&'static [Field]),
}

/// One field of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    /// Its name in JSON.
    pub(super) name: &'static str,
    /// Its form.
    pub(super) kind: Kind,
    /// What it means and how it is bounded.
    pub(super) about: &'static str,
}

/// One call of a gateway.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) summary: &'static str,
    pub(super) request: &'static [Field],
    pub(super) reply: &'static [Field],
    /// Statuses besides 200 that a client can bring about, with their reasons.
    pub(super) refusals: &'static [(u16, &'static str)],
}

/// A message as it came, with the headers it came with.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) fields: Fields,
    pub(super) headers: HeaderMap,
}

/// What answers a route: the message in, the reply's JSON or a problem out.
pub(super) type Handler =
    Arc<dyn Fn(Incoming) -> BoxFuture<'static, Result<Value, Problem>> + Send + Sync>;

/// Serves a table of routes, its document at `/swagger.json` and `/openapi.json`, and Swagger UI at `/docs`.
pub(super) fn serve(
    surface: &'static str,
    title: &'static str,
    routes: &'static [Route],
    wrong_method: WrongMethod,
    handler: impl Fn(&'static Route) -> Handler,
) -> Router {
    let document = openapi::document(title, routes);
    let copy = document.clone();
    let mut router =
        Router::from(SwaggerUi::new("/docs").external_url_unchecked("/swagger.json", document))
            .route(
                "/openapi.json",
                on(MethodFilter::GET, async move || Json(copy)),
            );
    for route in routes {
        let handler = handler(route);
        let filter = match route.method {
            Method::Get => MethodFilter::GET,
            Method::Post => MethodFilter::POST,
        };
        let answer = move |request: Request| answer(route.method, request, handler.clone());
        let refuse = async move || method_not_allowed(wrong_method);
        router = router.route(route.path, on(filter, answer).fallback(refuse));
    }
    let router = router.fallback(async || not_found());
    surface::finish(surface, router, Problem::gateway)
}

async fn answer(method: Method, request: Request, handler: Handler) -> Response {
    let result = match read(method, request).await {
        Ok(incoming) => handler(incoming).await,
        Err(problem) => Err(problem),
    };
    let mut response = match result {
        Ok(reply) => Json(reply).into_response(),
        Err(problem) => problem.gateway(),
    };
    let form = HeaderValue::from_static("application/grpc");
    response
        .headers_mut()
        .insert("grpc-metadata-content-type", form);
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
fn method_not_allowed(wrong_method: WrongMethod) -> Response {
    let mut response =
        Problem::refused(ErrorCode::MethodNotAllowed, "Method Not Allowed").gateway();
    *response.status_mut() = match wrong_method {
        WrongMethod::NotImplemented => StatusCode::NOT_IMPLEMENTED,
        WrongMethod::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
    };
    response
}

/// An id that a message must hold, greater than 0. `what` is the field as protobuf's validators name it.
///
/// # Errors
/// [`Problem`] (code 3) when it is no int64, absent, or not above 0.
pub(super) fn id<T: TryFrom<i64>>(
    fields: &Fields,
    names: &[&str],
    what: &str,
) -> Result<T, Problem> {
    let value = fields.int64(names)?;
    T::try_from(value)
        .map_err(|_| Problem::invalid(format!("invalid {what}: value must be greater than 0")))
}

/// A reply's JSON.
///
/// # Errors
/// [`Problem`] (code 13) when it has no JSON form, which no reply of ours can bring about.
pub(super) fn reply(message: &impl Serialize) -> Result<Value, Problem> {
    serde_json::to_value(message).map_err(|_| Problem::masked(ErrorCode::Internal))
}
