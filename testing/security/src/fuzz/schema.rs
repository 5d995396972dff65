//! The graph as it describes itself, and random operations on it: mostly valid ones, because those go deepest.

use std::collections::HashMap;

use anyhow::Context as _;
use rand::{Rng as _, rngs::StdRng};
use serde_json::{Map, Value, json};

use super::text::{chance, pick, string};
use crate::stack::Stack;

const INTROSPECTION: &str = "{ __schema { types { kind name enumValues { name } inputFields { name type { ...T } } \
    fields { name args { name type { ...T } } type { ...T } } possibleTypes { name } } } } \
    fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

/// The deepest selection set of a random operation.
const MAX_DEPTH: u32 = 7;

/// Types by name.
#[derive(Debug)]
pub(super) struct Schema(HashMap<String, Value>);

/// A random operation with its variables.
#[derive(Debug, Default)]
pub(super) struct Operation {
    pub(super) text: String,
    pub(super) variables: Map<String, Value>,
    declared: Vec<String>,
}

impl Schema {
    /// Asks the router.
    ///
    /// # Errors
    /// When it does not describe itself.
    pub(super) async fn introspect(stack: &Stack) -> anyhow::Result<Self> {
        let url = format!("{}/graphql", stack.url(4000));
        let request = stack.http.post(url).json(&json!({"query": INTROSPECTION}));
        let answer: Value = request.send().await?.json().await?;
        let types = answer["data"]["__schema"]["types"].as_array();
        let types = types.with_context(|| format!("no schema: {answer}"))?;
        let named = types
            .iter()
            .filter_map(|it| Some((it["name"].as_str()?.to_owned(), it.clone())));
        Ok(Self(named.collect()))
    }

    /// An operation of the root type `root`.
    pub(super) fn operation(&self, random: &mut StdRng, root: &str) -> Operation {
        let mut operation = Operation::default();
        let fields = random.random_range(1..3);
        let set = self.selection(random, &mut operation, root, 0, fields);
        let keyword = root.to_lowercase();
        let declared = match operation.declared.as_slice() {
            [] => String::new(),
            declared => format!("({})", declared.join(" ")),
        };
        operation.text = format!("{keyword} Random{declared} {set}");
        if chance(random, 5) {
            operation
                .text
                .push_str(" fragment Unused on Query { __typename }");
        }
        operation
    }

    fn selection(
        &self,
        random: &mut StdRng,
        operation: &mut Operation,
        name: &str,
        depth: u32,
        count: usize,
    ) -> String {
        let none = Vec::new();
        let fields = self
            .0
            .get(name)
            .and_then(|it| it["fields"].as_array())
            .unwrap_or(&none);
        let mut items = Vec::new();
        for number in 0..count {
            if fields.is_empty() || chance(random, 5) {
                items.push("__typename".to_owned());
                continue;
            }
            let field = pick(random, fields);
            let alias = if chance(random, 15) {
                format!("a{number}: ")
            } else {
                String::new()
            };
            let arguments = self.arguments(random, operation, field);
            let (target, is_composite) = self.named(&field["type"]);
            let set = if is_composite {
                if depth >= MAX_DEPTH {
                    continue;
                }
                let count = random.random_range(1..5);
                self.selection(random, operation, &target, depth + 1, count)
            } else {
                String::new()
            };
            let directive = if chance(random, 3) {
                " @include(if: true)"
            } else {
                ""
            };
            let field = format!(
                "{alias}{}{arguments}{directive} {set}",
                field["name"].as_str().unwrap_or_default()
            );
            items.push(if chance(random, 5) {
                format!("... on {name} {{ {field} }}")
            } else {
                field
            });
        }
        if items.is_empty() {
            items.push("__typename".to_owned());
        }
        format!("{{ {} }}", items.join(" "))
    }

    fn arguments(&self, random: &mut StdRng, operation: &mut Operation, field: &Value) -> String {
        let none = Vec::new();
        let mut given = Vec::new();
        for argument in field["args"].as_array().unwrap_or(&none) {
            let is_needed = argument["type"]["kind"] == "NON_NULL";
            if !chance(random, if is_needed { 97 } else { 50 }) {
                continue;
            }
            let value = self.value(random, &argument["type"], 0);
            let name = argument["name"].as_str().unwrap_or_default();
            if chance(random, 50) {
                let variable = format!("v{}", operation.variables.len());
                operation
                    .declared
                    .push(format!("${variable}: {}", spelled(&argument["type"])));
                operation.variables.insert(variable.clone(), value);
                given.push(format!("{name}: ${variable}"));
            } else {
                given.push(format!("{name}: {}", literal(&value)));
            }
        }
        if given.is_empty() {
            String::new()
        } else {
            format!("({})", given.join(" "))
        }
    }

    fn value(&self, random: &mut StdRng, ty: &Value, depth: u32) -> Value {
        if chance(random, 4) || depth > 4 {
            return anything(random);
        }
        match ty["kind"].as_str().unwrap_or_default() {
            "NON_NULL" => self.value(random, &ty["ofType"], depth),
            "LIST" => {
                let length = *pick(random, &[0, 1, 1, 2, 3, 40]);
                (0..length)
                    .map(|_| self.value(random, &ty["ofType"], depth + 1))
                    .collect()
            }
            "INPUT_OBJECT" => self.input_object(random, ty, depth),
            "ENUM" => self.enum_value(random, ty),
            _ => scalar(random, ty["name"].as_str().unwrap_or_default()),
        }
    }

    fn input_object(&self, random: &mut StdRng, ty: &Value, depth: u32) -> Value {
        let none = Vec::new();
        let known = ty["name"].as_str().and_then(|name| self.0.get(name));
        let fields = known
            .and_then(|it| it["inputFields"].as_array())
            .unwrap_or(&none);
        let mut object = Map::new();
        for field in fields {
            if chance(random, 90) {
                let name = field["name"].as_str().unwrap_or_default();
                object.insert(
                    name.to_owned(),
                    self.value(random, &field["type"], depth + 1),
                );
            }
        }
        if chance(random, 3) {
            object.insert("unknown".to_owned(), anything(random));
        }
        Value::Object(object)
    }

    fn enum_value(&self, random: &mut StdRng, ty: &Value) -> Value {
        let known = ty["name"].as_str().and_then(|name| self.0.get(name));
        match known.and_then(|it| it["enumValues"].as_array()) {
            // A mark for `literal`, which writes it as a name.
            Some(values) if !values.is_empty() => json!({"__enum": pick(random, values)["name"]}),
            _ => Value::Null,
        }
    }

    fn named(&self, ty: &Value) -> (String, bool) {
        let mut ty = ty;
        while ty["ofType"].is_object() {
            ty = &ty["ofType"];
        }
        let name = ty["name"].as_str().unwrap_or_default();
        let is_composite = matches!(ty["kind"].as_str(), Some("OBJECT" | "INTERFACE" | "UNION"));
        (name.to_owned(), is_composite)
    }
}

fn scalar(random: &mut StdRng, name: &str) -> Value {
    match name {
        "Int" => json!(pick(
            random,
            &[
                0_i64,
                1,
                2,
                10,
                100,
                101,
                1_000,
                -1,
                2_147_483_647,
                2_147_483_648
            ]
        )),
        "Float" => json!(random.random::<f64>()),
        "Boolean" => json!(random.random::<bool>()),
        "ID" if chance(random, 70) => json!(pick(
            random,
            &["1", "2", "1000", "1001", "1076963", "139275865"]
        )),
        _ => Value::String(string(random)),
    }
}

fn anything(random: &mut StdRng) -> Value {
    match random.random_range(0..7) {
        0 => Value::Null,
        1 => json!(random.random::<i64>()),
        2 => json!(random.random::<bool>()),
        3 => json!([string(random)]),
        4 => json!({"a": 1}),
        5 => json!(1e300),
        _ => Value::String(string(random)),
    }
}

/// A type reference as SDL spells it.
fn spelled(ty: &Value) -> String {
    match ty["kind"].as_str().unwrap_or_default() {
        "NON_NULL" => format!("{}!", spelled(&ty["ofType"])),
        "LIST" => format!("[{}]", spelled(&ty["ofType"])),
        _ => ty["name"].as_str().unwrap_or_default().to_owned(),
    }
}

/// A JSON value as a GraphQL literal.
fn literal(value: &Value) -> String {
    match value {
        Value::Array(items) => format!(
            "[{}]",
            items.iter().map(literal).collect::<Vec<_>>().join(" ")
        ),
        Value::Object(members) => match members.get("__enum").and_then(Value::as_str) {
            Some(name) => name.to_owned(),
            None => {
                let members = members
                    .iter()
                    .map(|(name, value)| format!("{name}: {}", literal(value)));
                format!("{{{}}}", members.collect::<Vec<_>>().join(" "))
            }
        },
        other => other.to_string(),
    }
}

/// Takes the marks of enum values out of variables, where they are plain strings.
pub(super) fn without_marks(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(without_marks).collect(),
        Value::Object(mut members) => match members.remove("__enum") {
            Some(name) => name,
            None => Value::Object(
                members
                    .into_iter()
                    .map(|(name, it)| (name, without_marks(it)))
                    .collect(),
            ),
        },
        other => other,
    }
}
