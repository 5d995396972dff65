//! The HTTP face: two product routes behind the key, the OpenAPI document and Swagger UI without it.
//!
//! A request passes the key check first, then its arguments' bounds, then the catalogue: the order in which the service
//! that we stand in for refuses. Source: docs/contracts.md §2.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Json, Router,
    extract::{MatchedPath, Path, Query, Request, State},
    http::{Method, Uri},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use chassis::{config::Secret, telemetry};
use tracing::Instrument as _;
use utoipa::{
    Modify, OpenApi,
    openapi::security::{ApiKey, ApiKeyValue, SecurityScheme},
};
use utoipa_swagger_ui::SwaggerUi;

use crate::{
    catalogue::{Catalogue, Product},
    error::{ErrorBody, Refusal},
    faults::{self, Injector},
};

/// The header that carries the key.
pub const KEY_HEADER: &str = "x-api-key";

const COUNT_DEFAULT: i64 = 100;
const COUNT_MOST: i64 = 1000;

/// The document at `/swagger.json`.
#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "Product service",
        description = "Names and prices of the catalogue.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/", description = "The listener that serves this document.")),
    paths(find_product, list_products),
    components(schemas(Product, ErrorBody)),
    modifiers(&KeyScheme)
)]
pub struct Document;

struct KeyScheme;

impl Modify for KeyScheme {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
            "X-API-KEY",
            "`testToken`, unless the setting `product.key` says otherwise.",
        )));
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("key", scheme);
    }
}

/// All routes of the service but the health checks. With `injector`, product requests may be answered wrongly, and
/// `/faults` says how; no document lists it, since no caller of the service may count on it.
pub(crate) fn routes(catalogue: Catalogue, key: Secret, injector: Option<Injector>) -> Router {
    let check_key = middleware::from_fn_with_state(Arc::new(key), check_key);
    let mut guarded = Router::new()
        .route("/product/{sku}", get(find_product))
        .route("/product", get(list_products))
        .route_layer(check_key.clone())
        .with_state(Arc::new(catalogue));
    if let Some(injector) = injector {
        let switch = Router::new()
            .route("/faults", get(faults::show).put(faults::set))
            .route_layer(check_key)
            .with_state(injector.clone());
        let inject = middleware::from_fn_with_state(injector, faults::inject);
        guarded = guarded.route_layer(inject).merge(switch);
    }
    Router::new()
        .merge(guarded)
        .merge(SwaggerUi::new("/docs").url("/swagger.json", Document::openapi()))
        .fallback(|uri: Uri| async move { Refusal::NoSuchPath(uri.path().to_owned()) })
        .method_not_allowed_fallback(|method: Method| async move {
            Refusal::WrongMethod(method.to_string())
        })
        .layer(middleware::from_fn(trace))
}

/// Puts each request into its caller's trace.
async fn trace(mut request: Request, next: Next) -> Response {
    let matched = request.extensions().get::<MatchedPath>();
    let route = matched.map_or_else(|| "other".to_owned(), |path| path.as_str().to_owned());
    let method = request.method().clone();
    let span = telemetry::http::request_span(request.headers_mut(), method.as_str(), &route);
    let response = next.run(request).instrument(span.clone()).await;
    telemetry::http::answered(&span, response.status());
    response
}

async fn check_key(State(key): State<Arc<Secret>>, request: Request, next: Next) -> Response {
    match request.headers().get(KEY_HEADER) {
        Some(given) if given.as_bytes() == key.expose().as_bytes() => next.run(request).await,
        Some(_) => Refusal::WrongKey.into_response(),
        None => Refusal::NoKey.into_response(),
    }
}

/// Finds one product.
#[utoipa::path(
    get,
    path = "/product/{sku}",
    params(
        ("sku" = i64, Path, minimum = 1, description = "Stock keeping unit"),
        ("translations" = Option<bool>, Query, description = "Whether to add the name in other languages; false when left out"),
    ),
    responses(
        (status = 200, description = "The product", body = Product),
        (status = 401, description = "The key is missing or wrong", body = ErrorBody),
        (status = 404, description = "Not in the catalogue: code 1", body = ErrorBody),
        (status = 422, description = "The SKU is out of its bounds: code 600 or above", body = ErrorBody),
    ),
    security(("key" = []))
)]
async fn find_product(
    State(catalogue): State<Arc<Catalogue>>,
    Path(sku): Path<String>,
    Query(arguments): Query<HashMap<String, String>>,
) -> Result<Json<Product>, Refusal> {
    let sku = bounded("sku", "path", "int64", &sku, 1, i64::MAX)?;
    let found = catalogue.find(sku).ok_or(Refusal::NotInCatalogue)?;
    Ok(Json(shown(found, &arguments)))
}

/// The translations are for those who ask for them: to any other client the body is the contract's, key by key.
fn shown(product: &Product, arguments: &HashMap<String, String>) -> Product {
    let product = product.clone();
    match arguments.get("translations").map(String::as_str) {
        Some("true") => product,
        Some(_) | None => product.without_translations(),
    }
}

/// Lists products, ascending by SKU.
#[utoipa::path(
    get,
    path = "/product",
    params(
        ("count" = Option<i32>, Query, minimum = 1, maximum = 1000, description = "How many; 100 when left out"),
        ("start_after_sku" = Option<i64>, Query, minimum = 0,
            description = "The SKU to go on behind; 0 or left out: from the head; one that is not in the catalogue: nothing"),
        ("translations" = Option<bool>, Query, description = "Whether to add the names in other languages; false when left out"),
    ),
    responses(
        (status = 200, description = "The page", body = Vec<Product>),
        (status = 401, description = "The key is missing or wrong", body = ErrorBody),
        (status = 422, description = "An argument is out of its bounds: code 600 or above", body = ErrorBody),
    ),
    security(("key" = []))
)]
async fn list_products(
    State(catalogue): State<Arc<Catalogue>>,
    Query(arguments): Query<HashMap<String, String>>,
) -> Result<Json<Vec<Product>>, Refusal> {
    let argument = |name: &'static str, kind, default, least, most| match arguments.get(name) {
        Some(given) => bounded(name, "query", kind, given, least, most),
        None => Ok(default),
    };
    let count = argument("count", "int32", COUNT_DEFAULT, 1, COUNT_MOST)?;
    let after = argument("start_after_sku", "int64", 0, 0, i64::MAX)?;
    let count = usize::try_from(count).expect("checked to be 1 to 1000");
    let listed = catalogue.list(after, count).into_iter();
    Ok(Json(
        listed.map(|product| shown(product, &arguments)).collect(),
    ))
}

fn bounded(
    name: &'static str,
    place: &'static str,
    kind: &'static str,
    given: &str,
    least: i64,
    most: i64,
) -> Result<i64, Refusal> {
    let wrong_type = || Refusal::WrongType {
        name,
        place,
        kind,
        given: given.chars().take(64).collect(),
    };
    let value: i64 = given.parse().map_err(|_| wrong_type())?;
    if value < least {
        return Err(Refusal::TooSmall { name, place, least });
    }
    if value > most {
        return Err(Refusal::TooLarge { name, place, most });
    }
    Ok(value)
}
