//! The OpenAPI document of cart's surface. Source: docs/contracts.md §1 and §9.

use serde_json::{Value, json};

use super::refusals::{Effect, Refusal, idempotency_key, problem_schema, responses};
use super::{VERSION, finished, license};

const UNKNOWN: Refusal = (
    412,
    "The catalogue does not know the SKU, or too few units are free.",
);
const EMPTY: Refusal = (404, "The cart is empty.");
const SHORT: Refusal = (
    412,
    "A line asks for more than is free, or cannot be priced; the cart stays.",
);

/// The whole document.
pub(crate) fn document() -> Value {
    let sku = json!({"name": "sku_id", "in": "path", "required": true, "description": "Stock keeping unit.", "schema": id()});
    let lines = json!({
        "parameters": [user(), sku],
        "post": change("addToCart", "Puts units of a SKU into the cart; repeated calls add up.", Some(count()), done(), &[UNKNOWN]),
        "delete": change("removeFromCart", "Takes a SKU out of the cart; it need not be there.", None, gone(), &[]),
    });
    let cart = json!({
        "parameters": [user()],
        "get": {
            "operationId": "listCart",
            "summary": "Lists the cart, ascending by SKU.",
            "responses": responses(
                (200, content("What is in the cart.", &json!({"$ref": "#/components/schemas/Cart"}))),
                &[EMPTY, (502, "The catalogue does not tell name and price of every line.")],
                Effect::Read,
            ),
        },
        "delete": change("clearCart", "Empties the cart; it may be empty.", None, gone(), &[]),
    });
    finished(json!({
        "openapi": VERSION,
        "info": {
            "title": "Cart",
            "version": env!("CARGO_PKG_VERSION"),
            "license": license(),
            "description": "Carts over plain JSON. All numbers are JSON numbers.",
        },
        "paths": {
            "/user/{user_id}/cart/{sku_id}": lines,
            "/user/{user_id}/cart": cart,
            "/checkout/{user_id}": {
                "parameters": [user()],
                "post": change("checkout", "Orders what is in the cart.", None, order("order_id"), &[EMPTY, SHORT]),
            },
            "/cart/checkout": {
                "post": change(
                    "checkoutByBody",
                    "Orders what is in the cart, in the oldest spelling.",
                    Some(json!({
                        "type": "object", "required": ["user"], "properties": {"user": id()},
                    })),
                    order("orderID"),
                    &[EMPTY, SHORT],
                ),
            },
            "/cart/checkout/{user_id}": {
                "parameters": [user()],
                "post": change("checkoutByOldPath", "Orders what is in the cart, in an older spelling.", None, order("orderID"), &[EMPTY, SHORT]),
            },
        },
        "components": {"schemas": {"Cart": list(), "Error": error(), "Problem": problem_schema()}},
    }))
}

fn change(
    name: &str,
    summary: &str,
    body: Option<Value>,
    success: (u16, Value),
    own: &[Refusal],
) -> Value {
    let mut operation = json!({
        "operationId": name,
        "summary": summary,
        "parameters": [idempotency_key()],
        "responses": responses(success, own, Effect::Change),
    });
    if let (Some(schema), Value::Object(members)) = (body, &mut operation) {
        let content = json!({"application/json": {"schema": schema}});
        let body = json!({"required": true, "content": content});
        members.insert("requestBody".to_owned(), body);
    }
    operation
}

fn id() -> Value {
    json!({"type": "integer", "format": "int64", "minimum": 1, "maximum": i64::MAX})
}

fn user() -> Value {
    json!({"name": "user_id", "in": "path", "required": true, "description": "Whose cart.", "schema": id()})
}

fn count() -> Value {
    let count = json!({"type": "integer", "format": "int32", "minimum": 1, "maximum": i32::MAX});
    json!({"type": "object", "required": ["count"], "properties": {"count": count}})
}

fn content(description: &str, schema: &Value) -> Value {
    json!({"description": description, "content": {"application/json": {"schema": schema}}})
}

fn done() -> (u16, Value) {
    (200, json!({"description": "Done; the body is empty."}))
}

fn gone() -> (u16, Value) {
    (
        204,
        json!({"description": "Done, also when there was nothing to take out."}),
    )
}

fn order(key: &str) -> (u16, Value) {
    let schema = json!({"type": "object", "required": [key], "properties": {key: id()}});
    (200, content("The order.", &schema))
}

fn list() -> Value {
    let amount = json!({"type": "integer", "format": "int64", "minimum": 0});
    let item = json!({
        "type": "object",
        "required": ["sku", "name", "count", "price"],
        "properties": {
            "sku": id(), "name": {"type": "string"}, "count": {"type": "integer", "format": "int64", "minimum": 1},
            "price": amount,
        },
    });
    json!({
        "type": "object",
        "required": ["items", "total_price"],
        "properties": {"items": {"type": "array", "minItems": 1, "items": item}, "total_price": amount},
    })
}

fn error() -> Value {
    json!({
        "type": "object",
        "required": ["code", "message"],
        "properties": {
            "code": {"type": "string", "description": "docs/errors.md lists them."},
            "message": {"type": "string"},
        },
    })
}
