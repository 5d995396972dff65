//! The subgraphs that a supergraph declares.
//!
//! Source: the join specification, `enum join__Graph` with `@join__graph(name:, url:)` on each value.

use std::collections::HashSet;

use graphql_tools::static_graphql::schema::{
    Definition, Directive, Document, TypeDefinition, Value,
};

use crate::graph::LoadError;

/// A subgraph as a supergraph declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// Its name.
    pub name: String,
    /// Its address; empty where the supergraph names none.
    pub url: String,
    /// Whether the embedding process answers its subscriptions itself.
    pub is_own: bool,
}

/// Reads them in the document's order.
///
/// # Errors
/// [`LoadError`] when there are none, two have one name, or one has none.
pub(crate) fn declared(document: &Document) -> Result<Vec<Declared>, LoadError> {
    let graphs = document.definitions.iter().find_map(|it| match it {
        Definition::TypeDefinition(TypeDefinition::Enum(graphs))
            if graphs.name == "join__Graph" =>
        {
            Some(graphs)
        }
        _ => None,
    });
    let mut names = HashSet::new();
    let mut declared = Vec::new();
    for value in graphs.iter().flat_map(|graphs| &graphs.values) {
        let directive = value.directives.iter().find(|it| it.name == "join__graph");
        let name = directive.and_then(|it| argument(it, "name"));
        let name = name.unwrap_or_default();
        if name.is_empty() {
            let text = format!("join__Graph.{} has no name", value.name);
            return Err(LoadError::Parse(text));
        }
        if !names.insert(name.to_owned()) {
            return Err(LoadError::TwoOfAName(name.to_owned()));
        }
        declared.push(Declared {
            name: name.to_owned(),
            url: directive
                .and_then(|it| argument(it, "url"))
                .unwrap_or_default()
                .to_owned(),
            is_own: false,
        });
    }
    if declared.is_empty() {
        return Err(LoadError::NoSubgraphs);
    }
    Ok(declared)
}

fn argument<'a>(directive: &'a Directive, name: &str) -> Option<&'a str> {
    directive
        .arguments
        .iter()
        .find_map(|(given, value)| match value {
            Value::String(text) if given == name => Some(text.as_str()),
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &str) -> Result<Vec<Declared>, LoadError> {
        let text = format!("enum join__Graph {{ {values} }}");
        let document = graphql_tools::parser::parse_schema::<String>(&text).unwrap();
        declared(&document.into_static())
    }

    #[test]
    fn subgraphs_are_read_with_their_addresses_and_a_name_stands_once() {
        let of = |name: &str, url: &str| Declared {
            name: name.to_owned(),
            url: url.to_owned(),
            is_own: false,
        };
        let two = "A @join__graph(name: \"a\", url: \"http://a/\") B @join__graph(name: \"b\", url: \"\")";
        assert_eq!(read(two).unwrap(), [of("a", "http://a/"), of("b", "")]);
        assert_eq!(read("A @join__graph(name: \"a\")").unwrap(), [of("a", "")]);
        let twice =
            read("A @join__graph(name: \"a\", url: \"\") B @join__graph(name: \"a\", url: \"\")");
        assert!(matches!(twice, Err(LoadError::TwoOfAName(name)) if name == "a"));
        for none in [
            "A",
            "A @join__graph(url: \"http://a/\")",
            "A @join__graph(name: \"\", url: \"\")",
        ] {
            assert!(matches!(read(none), Err(LoadError::Parse(_))), "{none}");
        }
    }
}
