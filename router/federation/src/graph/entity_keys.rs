//! The keys of entities, as each subgraph knows them.

use ahash::{HashMap, HashMapExt as _};
use graphql_tools::static_graphql::schema::{
    Definition, Directive, Document, TypeDefinition, Value,
};

/// Subgraph, by its own name, to type to keys; a key is the names of its outermost fields.
pub(super) type EntityKeys = HashMap<String, HashMap<String, Vec<Vec<String>>>>;

/// Reads `@join__type(graph:, key:)`.
pub(super) fn read(supergraph: &Document) -> EntityKeys {
    let names = graph_names(supergraph);
    let mut keys = EntityKeys::new();
    for definition in &supergraph.definitions {
        let Definition::TypeDefinition(definition) = definition else {
            continue;
        };
        let (name, directives) = match definition {
            TypeDefinition::Object(object) => (&object.name, &object.directives),
            TypeDefinition::Interface(interface) => (&interface.name, &interface.directives),
            _ => continue,
        };
        for directive in directives
            .iter()
            .filter(|directive| directive.name == "join__type")
        {
            let graph = argument(directive, "graph").and_then(|graph| names.get(graph));
            let (Some(graph), Some(key)) = (graph, argument(directive, "key")) else {
                continue;
            };
            let types = keys.entry(graph.clone()).or_default();
            types
                .entry(name.clone())
                .or_default()
                .push(outermost_names(key));
        }
    }
    keys
}

/// The own name of each subgraph, by its value of `join__Graph`.
pub(super) fn graph_names(supergraph: &Document) -> HashMap<String, String> {
    let mut names = HashMap::new();
    for definition in &supergraph.definitions {
        let Definition::TypeDefinition(TypeDefinition::Enum(choice)) = definition else {
            continue;
        };
        if choice.name != "join__Graph" {
            continue;
        }
        for value in &choice.values {
            let directive = value
                .directives
                .iter()
                .find(|found| found.name == "join__graph");
            let name = directive.and_then(|directive| argument(directive, "name"));
            names.insert(value.name.clone(), name.unwrap_or(&value.name).to_owned());
        }
    }
    names
}

/// A directive's argument that is a string or a name.
pub(super) fn argument<'a>(directive: &'a Directive, name: &str) -> Option<&'a str> {
    let (_, value) = directive.arguments.iter().find(|(key, _)| key == name)?;
    match value {
        Value::String(text) => Some(text),
        Value::Enum(name) => Some(name),
        _ => None,
    }
}

/// The field names of a selection such as `id organization { id }` that stand outside of braces.
fn outermost_names(selection: &str) -> Vec<String> {
    let spaced = selection.replace('{', " { ").replace('}', " } ");
    let mut depth = 0_usize;
    let mut names = Vec::new();
    for token in spaced.split_whitespace() {
        match token {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            name if depth == 0 => names.push(name.to_owned()),
            _ => {}
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_key_counts_by_its_outermost_fields() {
        assert_eq!(
            outermost_names("id organization{ id owner { id } } sku"),
            ["id", "organization", "sku"]
        );
    }
}
