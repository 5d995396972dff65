//! Gives every body of a document a name, so that generated clients have types to speak of instead of one for each place.
//!
//! A body is named by its operation, `AddToCartRequest`, `OrderInfoResponse`; the object of a list in it by the list, in the
//! singular: `OrderInfoResponseItem`.

use serde_json::{Map, Value, json};

/// The document with each inline object of a body under `components.schemas`, and a reference in its place.
pub(super) fn with_names(mut document: Value) -> Value {
    let mut named = Map::new();
    let paths = document["paths"].as_object_mut();
    for item in paths.into_iter().flat_map(Map::values_mut) {
        for operation in item.as_object_mut().into_iter().flat_map(Map::values_mut) {
            name_bodies(operation, &mut named);
        }
    }
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        for (name, schema) in schemas.iter_mut() {
            name_items(schema, name, &mut named);
        }
        schemas.append(&mut named);
        schemas.sort_keys();
    }
    document
}

fn name_bodies(operation: &mut Value, named: &mut Map<String, Value>) {
    let Some(id) = operation.get("operationId").and_then(Value::as_str) else {
        return;
    };
    let id = pascal(id);
    if let Some(body) = operation.get_mut("requestBody") {
        name_content(body, &format!("{id}Request"), named);
    }
    let responses = operation
        .get_mut("responses")
        .and_then(Value::as_object_mut);
    for response in responses.into_iter().flat_map(Map::values_mut) {
        name_content(response, &format!("{id}Response"), named);
    }
}

fn name_content(holder: &mut Value, name: &str, named: &mut Map<String, Value>) {
    let content = holder.get_mut("content").and_then(Value::as_object_mut);
    for media in content.into_iter().flat_map(Map::values_mut) {
        if let Some(schema) = media.get_mut("schema") {
            name_schema(schema, name, named);
        }
    }
}

/// Moves an inline object under its name, with the objects in it under theirs.
fn name_schema(schema: &mut Value, name: &str, named: &mut Map<String, Value>) {
    if schema["type"] != "object" {
        return;
    }
    name_items(schema, name, named);
    let reference = json!({"$ref": format!("#/components/schemas/{name}")});
    named.insert(name.to_owned(), std::mem::replace(schema, reference));
}

fn name_items(schema: &mut Value, name: &str, named: &mut Map<String, Value>) {
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (property, schema) in properties.into_iter().flatten() {
        // What has no members of its own is any object.
        let items = schema.get_mut("items");
        if let Some(items) = items.filter(|items| items.get("properties").is_some()) {
            let singular = pascal(property.trim_end_matches('s'));
            name_schema(items, &format!("{name}{singular}"), named);
        }
    }
}

/// `order-create` and `orderCreate` as `OrderCreate`.
fn pascal(name: &str) -> String {
    let words = name.split(['-', '_']).map(str::chars);
    let capitals = words.flat_map(|mut word| {
        let first = word.next().into_iter().flat_map(char::to_uppercase);
        first.chain(word)
    });
    capitals.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_the_operation_and_of_the_list() {
        let item = json!({"type": "object", "properties": {"sku": {"type": "string"}}});
        let message = json!({"type": "object", "properties": {
            "items": {"type": "array", "items": item},
            "details": {"type": "array", "items": {"type": "object"}},
        }});
        let content = |schema: &Value| json!({"application/json": {"schema": schema}});
        let error = json!({"$ref": "#/components/schemas/Error"});
        let document = json!({
            "paths": {"/order/info": {"parameters": [], "post": {
                "operationId": "order-info",
                "requestBody": {"content": content(&json!({"type": "object"}))},
                "responses": {"200": {"content": content(&message)}, "404": {"content": content(&error)}},
            }}},
            "components": {"schemas": {"Error": {"type": "object"}}},
        });
        let named = with_names(document);
        let operation = &named["paths"]["/order/info"]["post"];
        let schema =
            |holder: &Value| holder["content"]["application/json"]["schema"]["$ref"].clone();
        let reference = |name: &str| json!(format!("#/components/schemas/{name}"));
        assert_eq!(
            schema(&operation["requestBody"]),
            reference("OrderInfoRequest")
        );
        assert_eq!(
            schema(&operation["responses"]["200"]),
            reference("OrderInfoResponse")
        );
        assert_eq!(schema(&operation["responses"]["404"]), reference("Error"));
        let schemas = named["components"]["schemas"].as_object().unwrap();
        let names: Vec<_> = schemas.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "Error",
                "OrderInfoRequest",
                "OrderInfoResponse",
                "OrderInfoResponseItem"
            ]
        );
        let properties = &schemas["OrderInfoResponse"]["properties"];
        assert_eq!(
            properties["items"]["items"],
            json!({"$ref": "#/components/schemas/OrderInfoResponseItem"})
        );
        assert_eq!(properties["details"]["items"], json!({"type": "object"}));
    }
}
