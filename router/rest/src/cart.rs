//! The cart surface: plain JSON over HTTP, ids in the path, statuses as existing clients check them.
//!
//! Every call acts for the user in its path (or, in the oldest spelling of checkout, in its body).
//! Source: docs/contracts.md §1 and §9.

use std::{str::FromStr, sync::Arc};

use axum::{
    Json, Router,
    body::Body,
    extract::{FromRequestParts, Path, State},
    http::{HeaderMap, StatusCode, request::Parts},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use chassis::admission::Priority;
use schema::{
    code::ErrorCode,
    id::{Sku, UserId},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa_swagger_ui::SwaggerUi;

use super::{
    config::CheckoutKey,
    credential::Actor,
    error::{CartProblem, Problem},
    graph::{Call, Operation},
    home,
    json::{Decimal, Fields},
    openapi, profile,
    shim::Shim,
    surface,
};

const ADD: Operation = Operation {
    name: "RestAddToCart",
    text: "mutation RestAddToCart($input: AddToCartInput!) { addToCart(input: $input) { userErrors { code message } } }",
    class: Priority::Mutation,
};
const REMOVE: Operation = Operation {
    name: "RestRemoveFromCart",
    text: "mutation RestRemoveFromCart($input: RemoveFromCartInput!) { removeFromCart(input: $input) { userErrors { code message } } }",
    class: Priority::Mutation,
};
const CLEAR: Operation = Operation {
    name: "RestClearCart",
    text: "mutation RestClearCart { clearCart { userErrors { code message } } }",
    class: Priority::Mutation,
};
const LIST: Operation = Operation {
    name: "RestCart",
    text: "query RestCart { me { cart { lines { product { sku name price { amount } } count } total { amount } } } }",
    class: Priority::Read,
};
const CHECKOUT: Operation = Operation {
    name: "RestCheckout",
    text: "mutation RestCheckout { checkout { order { id } userErrors { code message } } }",
    class: Priority::Payment,
};

#[cfg(test)]
pub(super) const OPERATIONS: &[Operation] = &[ADD, REMOVE, CLEAR, LIST, CHECKOUT];

/// The routes of docs/contracts.md §1, the older spellings of §9, and what operators find beside them.
pub(super) fn routes(shim: &Arc<Shim>) -> Router {
    let document = openapi::cart::document();
    let routes = Router::new()
        .route("/user/{user_id}/cart/{sku_id}", post(add).delete(remove))
        .route("/user/{user_id}/cart", get(list).delete(clear))
        .route("/checkout/{user_id}", post(checkout))
        .route("/cart/checkout/{user_id}", post(checkout_by_old_path))
        .route("/cart/checkout", post(checkout_by_body))
        .with_state(Arc::clone(shim))
        .merge(SwaggerUi::new("/docs").external_url_unchecked("/swagger.json", document.clone()))
        .route("/openapi.json", get(async move || Json(document)))
        .route("/", get(at_home).fallback(async || not_found()))
        .merge(profile::routes(shim.options.profile_enabled))
        .method_not_allowed_fallback(async || Problem::masked(ErrorCode::MethodNotAllowed).cart())
        .fallback(async || not_found());
    surface::finish("cart", routes, &shim.accounts, Problem::cart)
}

async fn at_home(headers: HeaderMap) -> Response {
    let about = "Carts over plain JSON: what older clients of the marketplace speak.";
    home::page("Cart", about, &headers).unwrap_or_else(not_found)
}

fn not_found() -> Response {
    Problem::masked(ErrorCode::NotFound).cart()
}

async fn add(
    State(shim): State<Arc<Shim>>,
    UserAndSku(user, sku): UserAndSku,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, CartProblem> {
    let count = count(&surface::body(body).await?)?;
    let input = json!({"input": {"sku": sku.to_string(), "count": count}});
    let call = Call::new(&ADD, Actor::User(user), input, &headers);
    shim.graph.change(call).await?;
    Ok(StatusCode::OK)
}

/// Reads `{"count": n}`, 1 to 2^31 - 1. Source: docs/contracts.md §1, row "count".
fn count(body: &[u8]) -> Result<i32, Problem> {
    Fields::read(body)?
        .plain_number("count")?
        .and_then(|count| i32::try_from(count).ok())
        .filter(|count| *count > 0)
        .ok_or_else(|| Problem::invalid("count must be 1 to 2147483647"))
}

async fn remove(
    State(shim): State<Arc<Shim>>,
    UserAndSku(user, sku): UserAndSku,
    headers: HeaderMap,
) -> Result<StatusCode, CartProblem> {
    let input = json!({"input": {"sku": sku.to_string()}});
    let call = Call::new(&REMOVE, Actor::User(user), input, &headers);
    emptied(shim.graph.change(call).await)
}

async fn clear(
    State(shim): State<Arc<Shim>>,
    User(user): User,
    headers: HeaderMap,
) -> Result<StatusCode, CartProblem> {
    let call = Call::new(&CLEAR, Actor::User(user), json!({}), &headers);
    emptied(shim.graph.change(call).await)
}

/// 204, also when there was nothing to remove.
fn emptied(result: Result<(), Problem>) -> Result<StatusCode, CartProblem> {
    match result {
        Err(problem) if problem.code != ErrorCode::NotFound => Err(problem.into()),
        Ok(()) | Err(_) => Ok(StatusCode::NO_CONTENT),
    }
}

/// The list as clients read it; all numbers are JSON numbers, and the total never wraps.
#[derive(Debug, Serialize)]
struct List {
    items: Vec<Item>,
    total_price: u64,
}

#[derive(Debug, Serialize)]
struct Item {
    sku: i64,
    name: String,
    count: u32,
    price: u64,
}

async fn list(State(shim): State<Arc<Shim>>, User(user): User, headers: HeaderMap) -> Response {
    match load_list(&shim, user, &headers).await {
        Ok(list) if list.items.is_empty() => Problem::masked(ErrorCode::CartEmpty).cart(),
        Ok(list) => Json(list).into_response(),
        Err(problem) => problem.cart_list(),
    }
}

/// Reads the whole list or none of it: a line without its name or price is a look-up that failed.
async fn load_list(shim: &Shim, user: UserId, headers: &HeaderMap) -> Result<List, Problem> {
    #[derive(Deserialize)]
    struct Me {
        cart: Option<Cart>,
    }
    #[derive(Deserialize)]
    struct Cart {
        lines: Vec<Line>,
        total: Option<Money>,
    }
    #[derive(Deserialize)]
    struct Line {
        product: Product,
        count: u32,
    }
    #[derive(Deserialize)]
    struct Product {
        sku: Decimal<i64>,
        name: Option<String>,
        price: Option<Money>,
    }
    #[derive(Deserialize)]
    struct Money {
        amount: Decimal<u64>,
    }

    let call = Call::new(&LIST, Actor::User(user), json!({}), headers);
    let (me, fault) = shim.graph.find_partial(call).await?;
    let faulty = |otherwise| fault.clone().unwrap_or_else(|| Problem::masked(otherwise));
    let cart = me.and_then(|Me { cart }| cart);
    let cart = cart.ok_or_else(|| faulty(ErrorCode::Internal))?;
    // What the catalogue does not have is null without a fault.
    let unknown = || faulty(ErrorCode::ProductNotFound);
    let item = |line: Line| {
        let Product { sku, name, price } = line.product;
        Some(Item {
            sku: sku.0,
            name: name?,
            count: line.count,
            price: price?.amount.0,
        })
    };
    let items: Option<Vec<Item>> = cart.lines.into_iter().map(item).collect();
    let mut items = items.ok_or_else(unknown)?;
    items.sort_by_key(|item| item.sku);
    Ok(List {
        items,
        total_price: cart.total.ok_or_else(unknown)?.amount.0,
    })
}

async fn checkout(
    State(shim): State<Arc<Shim>>,
    User(user): User,
    headers: HeaderMap,
) -> Result<Response, CartProblem> {
    let keys: &[&str] = match shim.options.checkout_key {
        CheckoutKey::OrderId => &["order_id"],
        CheckoutKey::Both => &["order_id", "orderID"],
    };
    order_cart(&shim, user, &headers, keys).await
}

async fn checkout_by_old_path(
    State(shim): State<Arc<Shim>>,
    User(user): User,
    headers: HeaderMap,
) -> Result<Response, CartProblem> {
    order_cart(&shim, user, &headers, &["orderID"]).await
}

async fn checkout_by_body(
    State(shim): State<Arc<Shim>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, CartProblem> {
    let user = user_in_body(&surface::body(body).await?)?;
    order_cart(&shim, user, &headers, &["orderID"]).await
}

/// Reads `{"user": n}`. Source: docs/contracts.md §9.
fn user_in_body(body: &[u8]) -> Result<UserId, Problem> {
    let user = Fields::read(body)?.plain_number("user")?.unwrap_or(0);
    UserId::try_from(user)
        .map_err(|_| Problem::invalid("user must be a whole number greater than 0"))
}

/// Orders what is in the cart and gives the order's id under each of `keys`; a refusal leaves the cart as it was.
async fn order_cart(
    shim: &Shim,
    user: UserId,
    headers: &HeaderMap,
    keys: &[&str],
) -> Result<Response, CartProblem> {
    let call = Call::new(&CHECKOUT, Actor::User(user), json!({}), headers);
    let order = Value::from(shim.graph.make(call).await?);
    let members = keys.iter().map(|key| ((*key).to_owned(), order.clone()));
    Ok(Json(members.collect::<Map<_, _>>()).into_response())
}

/// The user in the path.
struct User(UserId);

/// The user and the SKU in the path; a SKU of 2^63 - 1 is legal and reaches the catalogue.
struct UserAndSku(UserId, Sku);

impl<S: Send + Sync> FromRequestParts<S> for User {
    type Rejection = CartProblem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, CartProblem> {
        let Path(user) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| not_utf8())?;
        Ok(Self(id(&user, "user_id")?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for UserAndSku {
    type Rejection = CartProblem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, CartProblem> {
        let Path((user, sku)) = Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(|_| not_utf8())?;
        let sku = id(&sku, "sku_id")?;
        Ok(Self(id(&user, "user_id")?, sku))
    }
}

fn id<T: FromStr>(text: &str, name: &str) -> Result<T, Problem> {
    text.parse()
        .map_err(|_| Problem::invalid(format!("{name} must be a whole number greater than 0")))
}

fn not_utf8() -> Problem {
    Problem::invalid("the path is not UTF-8")
}
