//! The LOMS gateway: five calls in grpc-gateway's JSON over the graph's orders and stock.
//!
//! Creating an order acts for the user in the body. The other calls name an order or a SKU and no user, so the shim
//! asks for itself. Source: docs/contracts.md §3 and §9.

use std::sync::Arc;

use axum::Router;
use chassis::admission::Priority;
use schema::{
    code::ErrorCode,
    event::OrderStatus,
    id::{OrderId, Sku, UserId},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    config::UserKey,
    credential::Actor,
    error::Problem,
    gateway,
    graph::{Call, Operation},
    json::{Decimal, Fields, Int64},
    route::{self, Field, Incoming, Method, Route},
    shim::Shim,
};

const ORDER_KEYS: &[&str] = &["orderId", "orderID", "order_id"];
const USER_KEYS: &[&str] = &["userId", "userID", "user_id", "UserID", "user"];

const CREATE: Operation = Operation {
    name: "RestCreateOrder",
    text: "mutation RestCreateOrder($input: CreateOrderInput!) { createOrder(input: $input) { order { id } userErrors { code message } } }",
    class: Priority::Mutation,
};
const INFO: Operation = Operation {
    name: "RestOrderInfo",
    text: "query RestOrderInfo($id: ID!) { order(id: $id) { status user { id } lines { product { sku } count } } }",
    class: Priority::Read,
};
const PAY: Operation = Operation {
    name: "RestPayOrder",
    text: "mutation RestPayOrder($input: PayOrderInput!) { payOrder(input: $input) { userErrors { code message } } }",
    class: Priority::Payment,
};
const CANCEL: Operation = Operation {
    name: "RestCancelOrder",
    text: "mutation RestCancelOrder($input: CancelOrderInput!) { cancelOrder(input: $input) { userErrors { code message } } }",
    class: Priority::Mutation,
};
const STOCK: Operation = Operation {
    name: "RestStock",
    text: "query RestStock($sku: ID!) { stock(sku: $sku) { available } }",
    class: Priority::Read,
};

#[cfg(test)]
pub(super) const OPERATIONS: &[Operation] = &[CREATE, INFO, PAY, CANCEL, STOCK];

const ORDER_ID: Field = Field::int64("orderId", "The order, greater than 0.");
const SKU: Field = Field::int64("sku", "Stock keeping unit, greater than 0.");
const USER: Field = Field::int64("userId", "Who orders, greater than 0.");
const COUNT: Field = Field::uint32("count", 1, "Units, at least 1.");
const ITEMS: Field = Field::list("items", &[SKU, COUNT], 1, "At least one line.");
const STATUS: Field = Field::word(
    "status",
    "new, awaiting payment, failed, paid or cancelled.",
);
const INVALID: (u16, &str) = (400, "Code 3: an argument is out of its bounds.");
const UNKNOWN: (u16, &str) = (404, "Code 5: there is no such order.");

/// The calls, in the order of docs/contracts.md §3.
pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::Post,
        path: "/order/create",
        summary: "Creates an order and reserves every line, or stores it as failed.",
        request: &[USER, ITEMS],
        reply: &[ORDER_ID],
        refusals: &[(
            400,
            "Code 3: an argument is out of its bounds. Code 9: a line is short of stock.",
        )],
        call: |shim, incoming| Box::pin(create(shim, incoming)),
    },
    Route {
        method: Method::Get,
        path: "/order/info",
        summary: "Reads an order; its items ascend by SKU.",
        request: &[ORDER_ID],
        reply: &[STATUS, USER, ITEMS],
        refusals: &[INVALID, UNKNOWN],
        call: |shim, incoming| Box::pin(info(shim, incoming)),
    },
    Route {
        method: Method::Post,
        path: "/order/pay",
        summary: "Pays an order that awaits payment; a repeat is fine.",
        request: &[ORDER_ID],
        reply: &[],
        refusals: &[
            (
                400,
                "Code 3: bad id. Code 9: the order does not await payment.",
            ),
            UNKNOWN,
        ],
        call: |shim, incoming| Box::pin(change(shim, incoming, &PAY, "OrderPayRequest.OrderId")),
    },
    Route {
        method: Method::Post,
        path: "/order/cancel",
        summary: "Cancels an order that awaits payment; a repeat is fine.",
        request: &[ORDER_ID],
        reply: &[],
        refusals: &[
            (400, "Code 3: bad id. Code 9: the order is paid or failed."),
            UNKNOWN,
        ],
        call: |shim, incoming| {
            Box::pin(change(
                shim,
                incoming,
                &CANCEL,
                "OrderCancelRequest.OrderId",
            ))
        },
    },
    Route {
        method: Method::Get,
        path: "/stock/info",
        summary: "Free units of a SKU: total less reserved.",
        request: &[SKU],
        reply: &[Field::uint32("count", 0, "Free units.")],
        refusals: &[INVALID, (404, "Code 5: no stock is kept for this SKU.")],
        call: |shim, incoming| Box::pin(stock(shim, incoming)),
    },
];

/// The title of the gateway's document.
pub(super) const TITLE: &str = "LOMS";

/// The gateway's routes, its document and Swagger UI.
pub(super) fn routes(shim: &Arc<Shim>) -> Router {
    gateway::serve("loms", TITLE, ROUTES, shim)
}

async fn create(shim: &Shim, incoming: Incoming) -> Result<Value, Problem> {
    let user: UserId = incoming.id(USER_KEYS, "OrderCreateRequest.UserId")?;
    let input = json!({"input": {"lines": lines(&incoming.fields)?}});
    let call = Call::new(&CREATE, Actor::User(user), input, &incoming.headers);
    let order = shim.graph.make(call).await?;
    Ok(json!({"orderId": Int64(order)}))
}

/// The lines of a new order as GraphQL input.
fn lines(fields: &Fields) -> Result<Vec<Value>, Problem> {
    let items = fields.messages(&["items", "Items"])?;
    if items.is_empty() {
        let message = "invalid OrderCreateRequest.Items: value must contain at least 1 item(s)";
        return Err(Problem::invalid(message));
    }
    items.iter().map(line).collect()
}

fn line(item: &Fields) -> Result<Value, Problem> {
    let sku: Sku = route::id(item, &["sku", "SKU"], "Item.Sku")?;
    let count = item.uint32(&["count", "Count"])?;
    // GraphQL's Int ends at 2^31 - 1, and so does every stock: more can never be free.
    match i32::try_from(count) {
        Ok(count) if count > 0 => Ok(json!({"sku": sku.to_string(), "count": count})),
        Ok(_) => Err(Problem::invalid(
            "invalid Item.Count: value must be greater than 0",
        )),
        Err(_) => Err(Problem::invalid(
            "invalid Item.Count: value must be at most 2147483647",
        )),
    }
}

async fn info(shim: &Shim, incoming: Incoming) -> Result<Value, Problem> {
    #[derive(Deserialize)]
    struct Order {
        status: String,
        user: User,
        lines: Vec<Line>,
    }
    #[derive(Deserialize)]
    struct User {
        id: Decimal<i64>,
    }
    #[derive(Deserialize)]
    struct Line {
        product: Product,
        count: u32,
    }
    #[derive(Deserialize)]
    struct Product {
        sku: Decimal<i64>,
    }

    let id: OrderId = incoming.id(ORDER_KEYS, "OrderInfoRequest.OrderId")?;
    let variables = json!({"id": id.to_string()});
    let call = Call::new(&INFO, Actor::Shim, variables, &incoming.headers);
    let found: Option<Order> = shim.graph.find(call).await?;
    let mut order = found.ok_or_else(|| Problem::masked(ErrorCode::NotFound))?;
    order.lines.sort_by_key(|line| line.product.sku.0);
    let item = |line: &Line| json!({"sku": Int64(line.product.sku.0), "count": line.count});
    let items: Vec<Value> = order.lines.iter().map(item).collect();
    let user = Int64(order.user.id.0);
    let status = status(shim, &order.status)?;
    Ok(match shim.options.order_user_key {
        UserKey::UserId => json!({"status": status, "userId": user, "items": items}),
        UserKey::User => json!({"status": status, "user": user, "items": items}),
        UserKey::Both => json!({"status": status, "userId": user, "user": user, "items": items}),
    })
}

/// The contract's word for a status of the graph, in the spelling that is configured.
fn status(shim: &Shim, name: &str) -> Result<&'static str, Problem> {
    let found = OrderStatus::ALL
        .into_iter()
        .find(|status| status.graphql_name() == name);
    match found {
        Some(OrderStatus::Paid) => Ok(shim.options.paid_status.as_str()),
        Some(status) => Ok(status.as_str()),
        None => Err(Problem::masked(ErrorCode::Internal)),
    }
}

async fn change(
    shim: &Shim,
    incoming: Incoming,
    operation: &'static Operation,
    what: &str,
) -> Result<Value, Problem> {
    let id: OrderId = incoming.id(ORDER_KEYS, what)?;
    let input = json!({"input": {"orderId": id.to_string()}});
    let call = Call::new(operation, Actor::Shim, input, &incoming.headers);
    shim.graph.change(call).await?;
    Ok(json!({}))
}

async fn stock(shim: &Shim, incoming: Incoming) -> Result<Value, Problem> {
    #[derive(Deserialize)]
    struct Stock {
        available: u32,
    }

    let sku: Sku = incoming.id(&["sku", "SKU"], "StocksInfoRequest.Sku")?;
    let variables = json!({"sku": sku.to_string()});
    let call = Call::new(&STOCK, Actor::Shim, variables, &incoming.headers);
    let found: Option<Stock> = shim.graph.find(call).await?;
    let stock = found.ok_or_else(|| Problem::masked(ErrorCode::NotFound))?;
    Ok(json!({"count": stock.available}))
}
