//! A value as GraphQL text.

use graphql_tools::static_graphql::schema::Value;

/// Writes a value on one line. A string has the escapes of JSON, which GraphQL has too.
pub(crate) fn literal(value: &Value) -> String {
    match value {
        Value::Variable(name) => format!("${name}"),
        Value::Int(number) => number
            .as_i64()
            .map_or_else(String::new, |it| it.to_string()),
        Value::Float(number) => serde_json::Value::from(*number).to_string(),
        Value::String(text) => serde_json::Value::from(text.as_str()).to_string(),
        Value::Boolean(flag) => flag.to_string(),
        Value::Null => "null".to_owned(),
        Value::Enum(name) => name.clone(),
        Value::List(items) => {
            let items: Vec<_> = items.iter().map(literal).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => {
            let field = |(name, value): &(String, Value)| format!("{name}: {}", literal(value));
            let fields: Vec<_> = fields.iter().map(field).collect();
            format!("{{ {} }}", fields.join(", "))
        }
    }
}
