//! The OpenAPI documents: a gateway's is made from the same table as its routes, cart's is in [`cart`].

pub(super) mod cart;
mod examples;
mod named;
mod refusals;

use serde_json::{Map, Value, json};

use self::examples::with_examples;
use self::named::with_names;
use self::refusals::{Effect, idempotency_key, problem_schema, responses};
use super::route::{Field, JsonType, Method, Route};

/// A positive int64 as text, without sign and leading zeros.
const ID_PATTERN: &str = "^[1-9][0-9]{0,18}$";
/// The most items of a list, of an order's lines as of comments.
const ITEMS_MAX: u32 = 1_000;

/// The version of every document, the product service's too.
const VERSION: &str = "3.1.0";

/// Where a message stands: what is written has one form, what is read may have two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Query,
    Request,
    Reply,
}

/// The whole document. The same table gives the same text, so a client may compare it.
pub(super) fn document(title: &str, routes: &[Route]) -> Value {
    let mut paths = Map::new();
    for route in routes {
        let method = match route.method {
            Method::Get => "get",
            Method::Post => "post",
        };
        paths.insert(route.path.to_owned(), json!({ method: operation(route) }));
    }
    finished(json!({
        "openapi": VERSION,
        "info": {
            "title": title,
            "version": env!("CARGO_PKG_VERSION"),
            "license": license(),
            "description": "JSON over HTTP for the gRPC service. int64 is written as a string and read from a string or a number.",
        },
        "paths": paths,
        "components": {"schemas": {"Error": error_schema(), "Problem": problem_schema()}},
    }))
}

/// What all documents have.
fn finished(document: Value) -> Value {
    with_names(with_examples(document))
}

fn license() -> Value {
    json!({"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"})
}

fn operation(route: &Route) -> Value {
    let mut operation = Map::new();
    operation.insert("summary".to_owned(), route.summary.into());
    operation.insert(
        "operationId".to_owned(),
        route.path.trim_matches('/').replace('/', "-").into(),
    );
    match route.method {
        Method::Get => {
            let parameters = route.request.iter().map(|field| {
                json!({"name": field.name, "in": "query", "required": true, "description": field.about, "schema": schema(field, Place::Query)})
            });
            operation.insert("parameters".to_owned(), parameters.collect());
        }
        Method::Post => {
            operation.insert("parameters".to_owned(), json!([idempotency_key()]));
            let schema = message(route.request, Place::Request);
            let content = json!({"application/json": {"schema": schema}});
            operation.insert(
                "requestBody".to_owned(),
                json!({"required": true, "content": content}),
            );
        }
    }
    operation.insert("responses".to_owned(), outcomes(route));
    Value::Object(operation)
}

fn outcomes(route: &Route) -> Value {
    let schema = message(route.reply, Place::Reply);
    let done = json!({"description": "Done.", "content": {"application/json": {"schema": schema}}});
    let effect = match route.method {
        Method::Get => Effect::Read,
        Method::Post => Effect::Change,
    };
    responses((200, done), route.refusals, effect)
}

fn message(fields: &[Field], place: Place) -> Value {
    let members = fields.iter().map(|field| {
        let mut schema = schema(field, place);
        if let Value::Object(members) = &mut schema {
            members.insert("description".to_owned(), field.about.into());
        }
        (field.name.to_owned(), schema)
    });
    let properties: Map<_, _> = members.collect();
    let names: Vec<_> = fields.iter().map(|field| field.name).collect();
    let mut message = json!({"type": "object", "properties": properties});
    if let (false, Value::Object(members)) = (names.is_empty(), &mut message) {
        // An absent field is read as 0 or empty text, which no field of a request may be.
        members.insert("required".to_owned(), names.into());
    }
    message
}

fn schema(field: &Field, place: Place) -> Value {
    match field.json_type {
        JsonType::Int64 => {
            let text = json!({"type": "string", "format": "int64", "pattern": ID_PATTERN});
            let number =
                json!({"type": "integer", "format": "int64", "minimum": 1, "maximum": i64::MAX});
            if place == Place::Request {
                json!({"oneOf": [text, number]})
            } else {
                text
            }
        }
        JsonType::Uint32 { min } => {
            json!({"type": "integer", "format": "int64", "minimum": min, "maximum": u32::MAX})
        }
        JsonType::Word => json!({"type": "string"}),
        JsonType::Text { max } => {
            json!({"type": "string", "minLength": 1, "maxLength": max, "pattern": "\\S"})
        }
        JsonType::Timestamp => json!({"type": "string", "format": "date-time"}),
        JsonType::List { items, min } => {
            json!({"type": "array", "minItems": min, "maxItems": ITEMS_MAX, "items": message(items, place)})
        }
    }
}

fn error_schema() -> Value {
    json!({
        "type": "object",
        "required": ["code", "message", "details"],
        "properties": {
            "code": {"type": "integer", "format": "int32", "description": "The gRPC status code."},
            "message": {"type": "string"},
            "details": {"type": "array", "items": {"type": "object"}},
        },
    })
}
