//! Fields that are required with arguments, each pair of a name and arguments as a field of its own.
//!
//! The planner compares required fields by name alone: for it `price(currency: "USD")` and `price(currency: "EUR")` are one,
//! and a subgraph would compute from the wrong one. So it plans over a supergraph where they are two fields, and
//! [`Requirements`] tells what those are in truth.
//!
//! Source: the join specification, `@join__field(requires:)`.

use std::collections::{BTreeMap, BTreeSet};

use ahash::{HashMap, HashSet};
use graphql_tools::static_graphql::query::{
    self, Definition as QueryDefinition, OperationDefinition, Selection, SelectionSet,
};
use graphql_tools::static_graphql::schema::{Definition, Document, Field, TypeDefinition, Value};

use crate::graph::entity_keys::{argument, graph_names};

/// What the made-up fields are, and which fields of a subgraph require them.
#[derive(Debug, Default)]
pub(crate) struct Requirements {
    /// Made-up name to the field's own.
    names: HashMap<String, String>,
    /// Subgraph, type and field to the made-up names that it requires, at whatever depth.
    needs: HashMap<(String, String, String), BTreeSet<String>>,
}

impl Requirements {
    /// Reads a supergraph. `None` when none of its fields is required with arguments; else the supergraph to plan over.
    pub(crate) fn set_apart(supergraph: &Document) -> Option<(Document, Self)> {
        let mut document = supergraph.clone();
        let all = composites(&mut document).flat_map(|(_, fields)| fields.iter());
        let taken = all.map(|field| field.name.clone()).collect();
        let mut names = Names {
            made: BTreeMap::new(),
            taken,
        };
        for (_, fields) in composites(&mut document) {
            fields.iter_mut().for_each(|field| names.replace_in(field));
        }
        if names.made.is_empty() {
            return None;
        }
        for (_, fields) in composites(&mut document) {
            names.add_to(fields);
        }
        let graphs = graph_names(&document);
        let mut requirements = Self::default();
        for (ty, fields) in composites(&mut document) {
            for field in fields {
                requirements.note(&ty, field, &graphs, &names);
            }
        }
        let made = names.made.into_iter();
        requirements.names = made.map(|((name, _), made)| (made, name)).collect();
        Some((document, requirements))
    }

    /// The own name of a made-up field.
    pub(crate) fn own_name(&self, name: &str) -> Option<&str> {
        self.names.get(name).map(String::as_str)
    }

    /// The made-up fields that a subgraph requires for a field of a type.
    pub(crate) fn of(&self, subgraph: &str, ty: &str, field: &str) -> Option<&BTreeSet<String>> {
        let place = (subgraph.to_owned(), ty.to_owned(), field.to_owned());
        self.needs.get(&place)
    }

    fn note(&mut self, ty: &str, field: &Field, graphs: &HashMap<String, String>, names: &Names) {
        for directive in &field.directives {
            let graph = argument(directive, "graph").and_then(|graph| graphs.get(graph));
            let required = argument(directive, "requires").and_then(selection);
            let (Some(graph), Some(required), true) =
                (graph, required, directive.name == "join__field")
            else {
                continue;
            };
            let mut found = BTreeSet::new();
            names.find_in(&required, &mut found);
            if !found.is_empty() {
                let place = (graph.clone(), ty.to_owned(), field.name.clone());
                self.needs.insert(place, found);
            }
        }
    }
}

/// The made-up names.
struct Names {
    /// By the field's own name and its arguments as text.
    made: BTreeMap<(String, String), String>,
    taken: HashSet<String>,
}

impl Names {
    /// Writes made-up names into what a field requires.
    fn replace_in(&mut self, field: &mut Field) {
        let of_join = |it: &&mut query::Directive| it.name == "join__field";
        for directive in field.directives.iter_mut().filter(of_join) {
            for (name, value) in &mut directive.arguments {
                let Value::String(text) = value else { continue };
                let Some(mut set) = (name == "requires").then(|| selection(text)).flatten() else {
                    continue;
                };
                if self.replace_all(&mut set) {
                    *text = written(set);
                }
            }
        }
    }

    fn replace_all(&mut self, set: &mut SelectionSet) -> bool {
        let mut is_changed = false;
        for item in &mut set.items {
            match item {
                Selection::Field(field) => {
                    if !field.arguments.is_empty() {
                        field.name = self.name(field);
                        is_changed = true;
                    }
                    is_changed |= self.replace_all(&mut field.selection_set);
                }
                Selection::InlineFragment(fragment) => {
                    is_changed |= self.replace_all(&mut fragment.selection_set);
                }
                Selection::FragmentSpread(_) => {}
            }
        }
        is_changed
    }

    /// The made-up name of a field with its arguments. It ends as no response key of an operation does.
    fn name(&mut self, field: &query::Field) -> String {
        let arguments = field.arguments.iter();
        let mut arguments: Vec<_> = arguments
            .map(|(name, value)| format!("{name}:{value}"))
            .collect();
        arguments.sort_unstable();
        let known = (field.name.clone(), arguments.join(","));
        if let Some(made) = self.made.get(&known) {
            return made.clone();
        }
        let mut number = self.made.len() + 1;
        let mut made = format!("{}_{number}r", field.name);
        while !self.taken.insert(made.clone()) {
            number += 1;
            made = format!("{}_{number}r", field.name);
        }
        self.made.insert(known, made.clone());
        made
    }

    /// Gives a type the made-up fields of those that it has.
    fn add_to(&self, fields: &mut Vec<Field>) {
        for ((name, _), made) in &self.made {
            let own = fields.iter().find(|field| field.name == *name);
            if let Some(mut field) = own.cloned() {
                field.name.clone_from(made);
                fields.push(field);
            }
        }
    }

    fn find_in(&self, set: &SelectionSet, found: &mut BTreeSet<String>) {
        for item in &set.items {
            match item {
                Selection::Field(field) => {
                    if self.made.values().any(|made| *made == field.name) {
                        found.insert(field.name.clone());
                    }
                    self.find_in(&field.selection_set, found);
                }
                Selection::InlineFragment(fragment) => {
                    self.find_in(&fragment.selection_set, found);
                }
                Selection::FragmentSpread(_) => {}
            }
        }
    }
}

/// Objects and interfaces with their fields.
fn composites(document: &mut Document) -> impl Iterator<Item = (String, &mut Vec<Field>)> {
    let definitions = document.definitions.iter_mut();
    definitions.filter_map(|definition| match definition {
        Definition::TypeDefinition(TypeDefinition::Object(object)) => {
            Some((object.name.clone(), &mut object.fields))
        }
        Definition::TypeDefinition(TypeDefinition::Interface(interface)) => {
            Some((interface.name.clone(), &mut interface.fields))
        }
        _ => None,
    })
}

/// Reads a set of fields such as `price(currency: "USD") weight`; the planner says what is wrong with one that is none.
fn selection(text: &str) -> Option<SelectionSet> {
    let text = format!("{{{text}}}");
    let document = graphql_tools::parser::parse_query::<String>(&text).ok()?;
    match document.into_static().definitions.into_iter().next()? {
        QueryDefinition::Operation(OperationDefinition::SelectionSet(set)) => Some(set),
        _ => None,
    }
}

fn written(set: SelectionSet) -> String {
    let definition = QueryDefinition::Operation(OperationDefinition::SelectionSet(set));
    let document = query::Document {
        definitions: vec![definition],
    };
    let text = document.to_string();
    let inner = text
        .trim()
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'));
    inner.unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRAPH: &str = r#"
enum join__Graph { A @join__graph(name: "a", url: "") B @join__graph(name: "b", url: "") }
interface Priced { price(currency: String!): Int }
type Product implements Priced {
  price(currency: String!): Int @join__field(graph: B) @join__field(graph: A, external: true)
  price_1r: Int
  dollars: Int @join__field(graph: A, requires: "price(currency: \"USD\") weight")
  euros: Int @join__field(graph: A, requires: "price(currency: \"EUR\")")
  again: Int @join__field(graph: A, requires: "group { price(currency: \"USD\") }")
  plain: Int @join__field(graph: A, requires: "weight")
}
"#;

    fn read(text: &str) -> Option<(Document, Requirements)> {
        let document = graphql_tools::parser::parse_schema::<String>(text).unwrap();
        Requirements::set_apart(&document.into_static())
    }

    #[test]
    fn each_pair_of_a_name_and_arguments_is_a_field_of_its_own() {
        let (document, requirements) = read(GRAPH).unwrap();
        let text = document.to_string();
        let names = ["price_2r", "price_3r"].map(|name| requirements.own_name(name));
        assert_eq!(names, [Some("price"), Some("price")], "{text}");
        assert_eq!(
            requirements.own_name("price_1r"),
            None,
            "a field of the graph"
        );
        let needs = |field| {
            requirements
                .of("a", "Product", field)
                .cloned()
                .unwrap_or_default()
        };
        assert_eq!(needs("dollars"), needs("again"));
        assert_ne!(needs("dollars"), needs("euros"));
        assert_eq!(needs("plain"), BTreeSet::new());
        let copies = text.matches("price_2r(currency: String!): Int").count();
        assert_eq!(copies, 2, "the interface and its object have it: {text}");
    }

    #[test]
    fn a_graph_that_requires_nothing_with_arguments_stays_as_it_is() {
        let plain =
            "type Product { weight: Int cost: Int @join__field(graph: A, requires: \"weight\") }";
        assert!(read(plain).is_none());
        let broken = "type Product { cost: Int @join__field(graph: A, requires: \"weight(\") }";
        assert!(read(broken).is_none(), "the planner refuses it");
    }
}
