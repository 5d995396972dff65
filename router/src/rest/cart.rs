//! The cart surface: plain JSON over HTTP, ids in the path, statuses as existing clients check them.
//!
//! Every call acts for the user in its path (or, in the oldest spelling of checkout, in its body).
//! Source: docs/contracts.md §1 and §9.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use schema::{
    code::ErrorCode,
    id::{Sku, UserId},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    CheckoutKey, Shim,
    credential::Actor,
    error::Problem,
    graph::{Call, Operation, UserError, accepted},
    json::{Decimal, Fields},
    profile, surface,
};

const ADD: Operation = Operation {
    name: "RestAddToCart",
    text: "mutation RestAddToCart($input: AddToCartInput!) { addToCart(input: $input) { userErrors { code message } } }",
};
const REMOVE: Operation = Operation {
    name: "RestRemoveFromCart",
    text: "mutation RestRemoveFromCart($input: RemoveFromCartInput!) { removeFromCart(input: $input) { userErrors { code message } } }",
};
const CLEAR: Operation = Operation {
    name: "RestClearCart",
    text: "mutation RestClearCart { clearCart { userErrors { code message } } }",
};
const LIST: Operation = Operation {
    name: "RestCart",
    text: "query RestCart { me { cart { lines { product { sku name price { amount } } count } total { amount } } } }",
};
const CHECKOUT: Operation = Operation {
    name: "RestCheckout",
    text: "mutation RestCheckout { checkout { order { id } userErrors { code message } } }",
};

#[cfg(test)]
pub(super) const OPERATIONS: &[Operation] = &[ADD, REMOVE, CLEAR, LIST, CHECKOUT];

/// The routes of docs/contracts.md §1, the older spellings of §9, and what operators find beside them.
pub(super) fn routes(shim: &Arc<Shim>) -> Router {
    let routes = Router::new()
        .route("/user/{user_id}/cart/{sku_id}", post(add).delete(remove))
        .route("/user/{user_id}/cart", get(list).delete(clear))
        .route("/checkout/{user_id}", post(checkout))
        .route("/cart/checkout/{user_id}", post(checkout_by_old_path))
        .route("/cart/checkout", post(checkout_by_body))
        .with_state(Arc::clone(shim))
        .merge(profile::routes())
        .method_not_allowed_fallback(async || Problem::masked(ErrorCode::MethodNotAllowed).cart())
        .fallback(async || Problem::masked(ErrorCode::NotFound).cart());
    surface::finish("cart", routes, Problem::cart)
}

type Ids<T> = Result<Path<T>, PathRejection>;

/// Reads the user from the path.
fn user(text: &str) -> Result<UserId, Problem> {
    text.parse()
        .map_err(|_| Problem::invalid("user_id must be a whole number greater than 0"))
}

/// Reads the user where it is the whole of the path's parameters.
fn only_user(ids: Ids<String>) -> Result<UserId, Problem> {
    let Path(text) = ids.map_err(|_| Problem::invalid("the path is not UTF-8"))?;
    user(&text)
}

/// Reads the user and the SKU; a SKU of 2^63 - 1 is legal and reaches the catalogue.
fn user_and_sku(ids: Ids<(String, String)>) -> Result<(UserId, Sku), Problem> {
    let Path((user_text, sku)) = ids.map_err(|_| Problem::invalid("the path is not UTF-8"))?;
    let sku = sku
        .parse()
        .map_err(|_| Problem::invalid("sku_id must be a whole number greater than 0"))?;
    Ok((user(&user_text)?, sku))
}

/// Any mutation of which only the refusal matters.
#[derive(Debug, Deserialize)]
struct Changed {
    #[serde(alias = "addToCart", alias = "removeFromCart", alias = "clearCart")]
    payload: Option<ChangedPayload>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChangedPayload {
    user_errors: Vec<UserError>,
}

async fn change(shim: &Shim, call: Call) -> Result<(), Problem> {
    let reply = shim.graph.run::<Changed>(call).await?;
    accepted(
        reply
            .require(|data| data.payload, ErrorCode::Internal)?
            .user_errors,
    )
}

async fn add(
    State(shim): State<Arc<Shim>>,
    ids: Ids<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let added = async {
        let (user, sku) = user_and_sku(ids)?;
        let count = count(&surface::body(body).await?)?;
        let input = json!({"input": {"sku": sku.to_string(), "count": count}});
        let call = Call::new(&ADD, Actor::User(user), input).with_headers(&headers);
        change(&shim, call).await
    };
    match added.await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(problem) => problem.cart(),
    }
}

/// Reads `{"count": n}`, 1 to 2^31 - 1. Source: docs/contracts.md §1, row "count".
fn count(body: &[u8]) -> Result<i32, Problem> {
    let count = Fields::read(body)?.plain_number("count")?;
    count
        .and_then(|count| i32::try_from(count).ok())
        .filter(|count| *count > 0)
        .ok_or_else(|| Problem::invalid("count must be 1 to 2147483647"))
}

async fn remove(
    State(shim): State<Arc<Shim>>,
    ids: Ids<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let removed = async {
        let (user, sku) = user_and_sku(ids)?;
        let input = json!({"input": {"sku": sku.to_string()}});
        change(
            &shim,
            Call::new(&REMOVE, Actor::User(user), input).with_headers(&headers),
        )
        .await
    };
    emptied(removed.await)
}

async fn clear(State(shim): State<Arc<Shim>>, ids: Ids<String>, headers: HeaderMap) -> Response {
    let cleared = async {
        let user = only_user(ids)?;
        change(
            &shim,
            Call::new(&CLEAR, Actor::User(user), json!({})).with_headers(&headers),
        )
        .await
    };
    emptied(cleared.await)
}

/// 204, also when there was nothing to take away.
fn emptied(result: Result<(), Problem>) -> Response {
    match result {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(problem) if problem.code == ErrorCode::NotFound => {
            StatusCode::NO_CONTENT.into_response()
        }
        Err(problem) => problem.cart(),
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

async fn list(State(shim): State<Arc<Shim>>, ids: Ids<String>, headers: HeaderMap) -> Response {
    let user = match only_user(ids) {
        Ok(user) => user,
        Err(problem) => return problem.cart(),
    };
    match load_list(&shim, user, &headers).await {
        Ok(list) if list.items.is_empty() => Problem::masked(ErrorCode::CartEmpty).cart(),
        Ok(list) => Json(list).into_response(),
        Err(problem) => problem.cart_list(),
    }
}

async fn load_list(shim: &Shim, user: UserId, headers: &HeaderMap) -> Result<List, Problem> {
    #[derive(Deserialize)]
    struct Data {
        me: Option<Me>,
    }
    #[derive(Deserialize)]
    struct Me {
        cart: Cart,
    }
    #[derive(Deserialize)]
    struct Cart {
        lines: Vec<Line>,
        total: Money,
    }
    #[derive(Deserialize)]
    struct Line {
        product: Product,
        count: u32,
    }
    #[derive(Deserialize)]
    struct Product {
        sku: Decimal<i64>,
        name: String,
        price: Money,
    }
    #[derive(Deserialize)]
    struct Money {
        amount: Decimal<u64>,
    }

    let call = Call::new(&LIST, Actor::User(user), json!({})).with_headers(headers);
    let reply = shim.graph.run::<Data>(call).await?;
    let cart = reply.require(|data| data.me, ErrorCode::Internal)?.cart;
    let item = |line: Line| Item {
        sku: line.product.sku.0,
        name: line.product.name,
        count: line.count,
        price: line.product.price.amount.0,
    };
    let mut items: Vec<Item> = cart.lines.into_iter().map(item).collect();
    items.sort_by_key(|item| item.sku);
    Ok(List {
        items,
        total_price: cart.total.amount.0,
    })
}

async fn checkout(State(shim): State<Arc<Shim>>, ids: Ids<String>, headers: HeaderMap) -> Response {
    let keys: &[&str] = match shim.options.checkout_key {
        CheckoutKey::OrderId => &["order_id"],
        CheckoutKey::Both => &["order_id", "orderID"],
    };
    checked_out(&shim, only_user(ids), &headers, keys).await
}

async fn checkout_by_old_path(
    State(shim): State<Arc<Shim>>,
    ids: Ids<String>,
    headers: HeaderMap,
) -> Response {
    checked_out(&shim, only_user(ids), &headers, &["orderID"]).await
}

async fn checkout_by_body(
    State(shim): State<Arc<Shim>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let user = match surface::body(body).await {
        Ok(body) => user_in_body(&body),
        Err(problem) => Err(problem),
    };
    checked_out(&shim, user, &headers, &["orderID"]).await
}

/// Reads `{"user": n}`. Source: docs/contracts.md §9.
fn user_in_body(body: &[u8]) -> Result<UserId, Problem> {
    let user = Fields::read(body)?.plain_number("user")?.unwrap_or(0);
    UserId::try_from(user)
        .map_err(|_| Problem::invalid("user must be a whole number greater than 0"))
}

async fn checked_out(
    shim: &Shim,
    user: Result<UserId, Problem>,
    headers: &HeaderMap,
    keys: &[&str],
) -> Response {
    let ordered = async {
        let call = Call::new(&CHECKOUT, Actor::User(user?), json!({})).with_headers(headers);
        order_cart(shim, call).await
    };
    match ordered.await {
        Ok(order) => {
            let members = keys
                .iter()
                .map(|key| ((*key).to_owned(), Value::from(order)));
            Json(members.collect::<Map<_, _>>()).into_response()
        }
        Err(problem) => problem.cart(),
    }
}

/// Orders what is in the cart; a refusal leaves the cart as it was.
async fn order_cart(shim: &Shim, call: Call) -> Result<i64, Problem> {
    #[derive(Deserialize)]
    struct Data {
        checkout: Option<Payload>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Payload {
        order: Option<Order>,
        user_errors: Vec<UserError>,
    }
    #[derive(Deserialize)]
    struct Order {
        id: Decimal<i64>,
    }

    let reply = shim.graph.run::<Data>(call).await?;
    let payload = reply.require(|data| data.checkout, ErrorCode::Internal)?;
    accepted(payload.user_errors)?;
    payload
        .order
        .map(|order| order.id.0)
        .ok_or_else(|| Problem::masked(ErrorCode::Internal))
}
