//! Examples that work on a fresh marketplace, so that the first click on "Try it out" does.

use serde_json::{Value, json};

/// The document with an example at every field and parameter whose name has one, and with what holds for all of it.
pub(super) fn with_examples(mut document: Value) -> Value {
    document["servers"] =
        json!([{"url": "/", "description": "The listener that serves this document."}]);
    // Existing clients have no token: docs/contracts.md §9.
    document["security"] = json!([]);
    fill(&mut document);
    document
}

fn fill(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(fill),
        Value::Object(members) => {
            if let Some(Value::Object(properties)) = members.get_mut("properties") {
                for (name, schema) in properties {
                    add(name, schema);
                }
            }
            let name = members
                .get("name")
                .and_then(Value::as_str)
                .map(str::to_owned);
            if let (Some(name), Some(schema)) = (name, members.get_mut("schema")) {
                add(&name, schema);
            }
            members.values_mut().for_each(fill);
        }
        _ => {}
    }
}

/// Adds the example of `name`, in the type that the schema writes.
fn add(name: &str, schema: &mut Value) {
    let Some(example) = example(name) else {
        return;
    };
    let example = match (&example, schema["type"].as_str()) {
        (Value::Number(_), Some("integer")) | (Value::String(_), Some("string")) => example,
        // int64 of a gateway is written as text, and read as either.
        (Value::Number(number), Some("string") | None) => number.to_string().into(),
        _ => return,
    };
    schema["example"] = example;
}

/// The seed has this product, and these are the first ids that a fresh marketplace gives.
fn example(name: &str) -> Option<Value> {
    Some(match name {
        "userId" | "user_id" | "user" | "orderId" | "order_id" | "orderID" | "count" => json!(1),
        "sku" | "sku_id" => json!(1_076_963),
        "id" | "comment_id" | "commentId" => json!(1_001),
        "comment" => json!("As promised."),
        "new_comment" | "newComment" => json!("As promised, and quickly."),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_has_the_type_of_its_field() {
        let integer = json!({"type": "integer"});
        let either = json!({"oneOf": [{"type": "string"}, {"type": "integer"}]});
        let document = json!({
            "parameters": [{"name": "sku", "in": "query", "schema": {"type": "string"}}],
            "body": {"properties": {"count": integer, "userId": either, "status": {"type": "string"}}},
        });
        let filled = with_examples(document);
        assert_eq!(filled["parameters"][0]["schema"]["example"], "1076963");
        let properties = &filled["body"]["properties"];
        assert_eq!(properties["count"]["example"], 1);
        assert_eq!(properties["userId"]["example"], "1");
        assert!(properties["status"].get("example").is_none());
    }
}
