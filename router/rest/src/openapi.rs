//! The OpenAPI document of a gateway, made from the same table as its routes.

use serde_json::{Map, Value, json};

use super::route::{Field, JsonType, Method, Route};

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
    json!({
        "openapi": "3.0.3",
        "info": {
            "title": title,
            "version": env!("CARGO_PKG_VERSION"),
            "description": "JSON over HTTP for the gRPC service. int64 is written as a string and read from a string or a number.",
        },
        "paths": paths,
        "components": {"schemas": {"Error": error_schema()}},
    })
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
                json!({"name": field.name, "in": "query", "required": true, "description": field.about, "schema": schema(field)})
            });
            operation.insert("parameters".to_owned(), parameters.collect());
        }
        Method::Post => {
            let content = json!({"application/json": {"schema": message(route.request)}});
            operation.insert(
                "requestBody".to_owned(),
                json!({"required": true, "content": content}),
            );
        }
    }
    operation.insert("responses".to_owned(), responses(route));
    Value::Object(operation)
}

fn responses(route: &Route) -> Value {
    let mut responses = Map::new();
    let content = json!({"application/json": {"schema": message(route.reply)}});
    responses.insert(
        "200".to_owned(),
        json!({"description": "Done.", "content": content}),
    );
    for (status, reason) in route.refusals {
        responses.insert(status.to_string(), problem(reason));
    }
    responses.insert(
        "default".to_owned(),
        problem("A fault; the message gives nothing away."),
    );
    Value::Object(responses)
}

fn problem(description: &str) -> Value {
    let schema = json!({"$ref": "#/components/schemas/Error"});
    json!({"description": description, "content": {"application/json": {"schema": schema}}})
}

fn message(fields: &[Field]) -> Value {
    let members = fields.iter().map(|field| {
        let mut schema = schema(field);
        if let Value::Object(members) = &mut schema {
            members.insert("description".to_owned(), field.about.into());
        }
        (field.name.to_owned(), schema)
    });
    json!({"type": "object", "properties": members.collect::<Map<_, _>>()})
}

fn schema(field: &Field) -> Value {
    match field.json_type {
        JsonType::Int64 => json!({"type": "string", "format": "int64"}),
        JsonType::Uint32 => {
            json!({"type": "integer", "format": "int64", "minimum": 0, "maximum": u32::MAX})
        }
        JsonType::Text => json!({"type": "string"}),
        JsonType::Timestamp => json!({"type": "string", "format": "date-time"}),
        JsonType::List(fields) => json!({"type": "array", "items": message(fields)}),
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
