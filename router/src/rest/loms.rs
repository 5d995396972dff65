//! The LOMS gateway: five calls in grpc-gateway's JSON over the graph's orders and stock.
//!
//! Creating an order acts for the user in the body. The other calls name an order or a SKU and no user, so the shim
//! asks for itself. Source: docs/contracts.md §3 and §9.

use std::sync::Arc;

use axum::Router;
use schema::{
    code::ErrorCode,
    event::OrderStatus,
    id::{OrderId, Sku, UserId},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Shim, UserKey,
    credential::Actor,
    error::Problem,
    gateway::{self, Field, Handler, Incoming, Kind, Method, Route},
    graph::{Call, Operation, UserError, accepted},
    json::{Decimal, Fields, Int64},
};

const ORDER_KEYS: &[&str] = &["orderId", "orderID", "order_id"];
const USER_KEYS: &[&str] = &["userId", "userID", "user_id", "UserID", "user"];

const CREATE: Operation = Operation {
    name: "RestCreateOrder",
    text: "mutation RestCreateOrder($input: CreateOrderInput!) { createOrder(input: $input) { order { id } userErrors { code message } } }",
};
const INFO: Operation = Operation {
    name: "RestOrderInfo",
    text: "query RestOrderInfo($id: ID!) { order(id: $id) { status user { id } lines { product { sku } count } } }",
};
const PAY: Operation = Operation {
    name: "RestPayOrder",
    text: "mutation RestPayOrder($input: PayOrderInput!) { payOrder(input: $input) { userErrors { code message } } }",
};
const CANCEL: Operation = Operation {
    name: "RestCancelOrder",
    text: "mutation RestCancelOrder($input: CancelOrderInput!) { cancelOrder(input: $input) { userErrors { code message } } }",
};
const STOCK: Operation = Operation {
    name: "RestStock",
    text: "query RestStock($sku: ID!) { stock(sku: $sku) { available } }",
};

#[cfg(test)]
pub(super) const OPERATIONS: &[Operation] = &[CREATE, INFO, PAY, CANCEL, STOCK];

const ORDER_ID: Field = Field {
    name: "orderId",
    kind: Kind::Int64,
    about: "The order, greater than 0.",
};
const SKU: Field = Field {
    name: "sku",
    kind: Kind::Int64,
    about: "Stock keeping unit, greater than 0.",
};
const USER: Field = Field {
    name: "userId",
    kind: Kind::Int64,
    about: "Who orders, greater than 0.",
};
const COUNT: Field = Field {
    name: "count",
    kind: Kind::Uint32,
    about: "Units, at least 1.",
};
const ITEMS: Field = Field {
    name: "items",
    kind: Kind::List(&[SKU, COUNT]),
    about: "At least one line.",
};
const STATUS: Field = Field {
    name: "status",
    kind: Kind::Text,
    about: "new, awaiting payment, failed, paid or cancelled.",
};
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
    },
    Route {
        method: Method::Get,
        path: "/order/info",
        summary: "Reads an order; its items ascend by SKU.",
        request: &[ORDER_ID],
        reply: &[STATUS, USER, ITEMS],
        refusals: &[INVALID, UNKNOWN],
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
    },
    Route {
        method: Method::Get,
        path: "/stock/info",
        summary: "Free units of a SKU: total less reserved.",
        request: &[SKU],
        reply: &[Field {
            name: "count",
            kind: Kind::Uint32,
            about: "Free units.",
        }],
        refusals: &[INVALID, (404, "Code 5: no stock is kept for this SKU.")],
    },
];

/// The title of the gateway's document.
pub(super) const TITLE: &str = "LOMS";

/// The gateway's routes, its document and Swagger UI.
pub(super) fn routes(shim: &Arc<Shim>) -> Router {
    gateway::serve("loms", TITLE, ROUTES, shim.options.wrong_method, |route| {
        handler(shim, route)
    })
}

fn handler(shim: &Arc<Shim>, route: &'static Route) -> Handler {
    let shim = Arc::clone(shim);
    Arc::new(move |incoming| {
        let shim = Arc::clone(&shim);
        Box::pin(async move {
            match route.path {
                "/order/create" => create(&shim, incoming).await,
                "/order/info" => info(&shim, incoming).await,
                "/order/pay" => change(&shim, incoming, &PAY, "OrderPayRequest.OrderId").await,
                "/order/cancel" => {
                    change(&shim, incoming, &CANCEL, "OrderCancelRequest.OrderId").await
                }
                "/stock/info" => stock(&shim, incoming).await,
                _ => Err(Problem::masked(ErrorCode::NotFound)),
            }
        })
    })
}

#[derive(Debug, Deserialize)]
struct Id {
    id: Decimal<i64>,
}

async fn create(shim: &Shim, incoming: Incoming) -> Result<Value, Problem> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Data {
        create_order: Option<Payload>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Payload {
        order: Option<Id>,
        user_errors: Vec<UserError>,
    }

    let user: UserId = gateway::id(&incoming.fields, USER_KEYS, "OrderCreateRequest.UserId")?;
    let lines = lines(&incoming.fields)?;
    let call = Call::new(
        &CREATE,
        Actor::User(user),
        json!({"input": {"lines": lines}}),
    )
    .with_headers(&incoming.headers);
    let reply = shim.graph.run::<Data>(call).await?;
    let payload = reply.require(|data| data.create_order, ErrorCode::Internal)?;
    accepted(payload.user_errors)?;
    let order = payload
        .order
        .ok_or_else(|| Problem::masked(ErrorCode::Internal))?;
    gateway::reply(&json!({"orderId": Int64(order.id.0)}))
}

/// The lines of a new order as GraphQL input.
fn lines(fields: &Fields) -> Result<Vec<Value>, Problem> {
    let items = fields.messages(&["items", "Items"])?;
    if items.is_empty() {
        let sentence = "invalid OrderCreateRequest.Items: value must contain at least 1 item(s)";
        return Err(Problem::invalid(sentence));
    }
    items.iter().map(line).collect()
}

fn line(item: &Fields) -> Result<Value, Problem> {
    let sku: Sku = gateway::id(item, &["sku", "SKU"], "Item.Sku")?;
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
    struct Data {
        order: Option<Order>,
    }
    #[derive(Deserialize)]
    struct Order {
        status: String,
        user: Id,
        lines: Vec<Line>,
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

    let id: OrderId = gateway::id(&incoming.fields, ORDER_KEYS, "OrderInfoRequest.OrderId")?;
    let call = Call::new(&INFO, Actor::Shim, json!({"id": id.to_string()}));
    let reply = shim
        .graph
        .run::<Data>(call.with_headers(&incoming.headers))
        .await?;
    let order = reply.require(|data| data.order, ErrorCode::NotFound)?;
    let mut lines = order.lines;
    lines.sort_by_key(|line| line.product.sku.0);
    let items = lines
        .iter()
        .map(|line| json!({"sku": Int64(line.product.sku.0), "count": line.count}));
    let user = Int64(order.user.id.0);
    let items: Vec<_> = items.collect();
    let status = status(shim, &order.status)?;
    gateway::reply(&match shim.options.order_user_key {
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
    match found.ok_or_else(|| Problem::masked(ErrorCode::Internal))? {
        OrderStatus::Paid => Ok(shim.options.paid_status.as_str()),
        status @ (OrderStatus::New
        | OrderStatus::AwaitingPayment
        | OrderStatus::Failed
        | OrderStatus::Cancelled) => Ok(status.as_str()),
    }
}

async fn change(
    shim: &Shim,
    incoming: Incoming,
    operation: &'static Operation,
    what: &str,
) -> Result<Value, Problem> {
    #[derive(Deserialize)]
    struct Data {
        #[serde(alias = "payOrder", alias = "cancelOrder")]
        payload: Option<Payload>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Payload {
        user_errors: Vec<UserError>,
    }

    let id: OrderId = gateway::id(&incoming.fields, ORDER_KEYS, what)?;
    let input = json!({"input": {"orderId": id.to_string()}});
    let call = Call::new(operation, Actor::Shim, input).with_headers(&incoming.headers);
    let reply = shim.graph.run::<Data>(call).await?;
    let payload = reply.require(|data| data.payload, ErrorCode::Internal)?;
    accepted(payload.user_errors)?;
    Ok(json!({}))
}

async fn stock(shim: &Shim, incoming: Incoming) -> Result<Value, Problem> {
    #[derive(Deserialize)]
    struct Data {
        stock: Option<Stock>,
    }
    #[derive(Deserialize)]
    struct Stock {
        available: u32,
    }

    let sku: Sku = gateway::id(&incoming.fields, &["sku", "SKU"], "StocksInfoRequest.Sku")?;
    let call = Call::new(&STOCK, Actor::Shim, json!({"sku": sku.to_string()}));
    let reply = shim
        .graph
        .run::<Data>(call.with_headers(&incoming.headers))
        .await?;
    let stock = reply.require(|data| data.stock, ErrorCode::NotFound)?;
    Ok(json!({"count": stock.available}))
}
