//! Where in the text an error of the library's rules is that names no place: the node is found by the names in its sentence.
//!
//! A sentence that comes again is about the next such node. Source: GraphQL specification, 7.1.2: an error that can be
//! associated to a place in the document should say it.

use std::collections::HashMap;

use graphql_tools::parser::Pos;
use graphql_tools::static_graphql::query::{
    Definition, Directive, Document, OperationDefinition, Selection, SelectionSet, Value,
};
use graphql_tools::validation::utils::ValidationError;

use crate::operation::definition::condition_type;

/// The places of errors that have none.
pub(crate) struct Places<'a> {
    nodes: Nodes<'a>,
    seen: HashMap<&'a str, usize>,
}

/// A part of a document that an error may be about.
#[derive(Debug)]
enum Node<'a> {
    /// A field or a directive, by name.
    Called(&'a str, &'a [(String, Value)]),
    Variable(&'a str),
    Spread(&'a str),
    Inline(Option<&'a str>),
    Fragment(&'a str),
    Operation(Option<&'a str>),
}

impl<'a> Places<'a> {
    /// The places of one document.
    pub(crate) fn new(document: &'a Document) -> Self {
        let mut nodes = Vec::new();
        each(document, &mut nodes);
        Self {
            nodes,
            seen: HashMap::new(),
        }
    }

    /// The place of an error; of what cannot be found it is where the document begins.
    pub(crate) fn find(&mut self, error: &'a ValidationError) -> Pos {
        let again = self.seen.entry(&error.message).or_default();
        let number = *again;
        *again += 1;
        let names: Vec<&str> = error.message.split('"').skip(1).step_by(2).collect();
        let nodes = self.nodes.iter();
        let found =
            nodes.filter(|(node, _)| is_about(error.error_code, &error.message, &names, node));
        let found = found.map(|(_, position)| *position);
        // Of fewer nodes than errors the last one is meant.
        let at = found.take(number + 1).last();
        at.unwrap_or(Pos { line: 1, column: 1 })
    }
}

fn is_about(rule: &str, message: &str, names: &[&str], node: &Node<'_>) -> bool {
    let named = |at: usize| names.get(at).copied().unwrap_or_default();
    match (rule, node) {
        ("KnownArgumentNames", Node::Called(called, arguments)) => {
            // `Product.sku`, or `@skip`.
            let owner = named(1).rsplit(['.', '@']).next().unwrap_or_default();
            *called == owner && arguments.iter().any(|(name, _)| name == named(0))
        }
        ("NoUndefinedVariables", Node::Called(_, arguments)) => {
            let variable = named(0).trim_start_matches('$');
            arguments.iter().any(|(_, value)| uses(value, variable))
        }
        ("NoUnusedVariables", Node::Variable(name)) => *name == named(0).trim_start_matches('$'),
        ("NoUnusedFragments" | "UniqueFragmentNames", Node::Fragment(name)) => *name == named(0),
        ("PossibleFragmentSpreads", Node::Spread(name)) => {
            message.starts_with("Fragment \"") && *name == named(0)
        }
        ("PossibleFragmentSpreads", Node::Inline(condition)) => {
            !message.starts_with("Fragment \"") && condition.is_some_and(|name| name == named(1))
        }
        ("UniqueInputFieldNames", Node::Called(_, arguments)) => {
            arguments.iter().any(|(_, value)| repeats(value, named(0)))
        }
        ("UniqueOperationNames", Node::Operation(name)) => *name == Some(named(0)),
        ("LoneAnonymousOperation", Node::Operation(name)) => name.is_none(),
        _ => false,
    }
}

fn uses(value: &Value, variable: &str) -> bool {
    match value {
        Value::Variable(name) => name == variable,
        Value::List(items) => items.iter().any(|item| uses(item, variable)),
        Value::Object(fields) => fields.iter().any(|(_, value)| uses(value, variable)),
        _ => false,
    }
}

fn repeats(value: &Value, name: &str) -> bool {
    match value {
        Value::List(items) => items.iter().any(|item| repeats(item, name)),
        Value::Object(fields) => {
            fields.iter().filter(|(found, _)| found == name).count() > 1
                || fields.iter().any(|(_, value)| repeats(value, name))
        }
        _ => false,
    }
}

type Nodes<'a> = Vec<(Node<'a>, Pos)>;

fn each<'a>(document: &'a Document, nodes: &mut Nodes<'a>) {
    for definition in &document.definitions {
        match definition {
            Definition::Fragment(fragment) => {
                nodes.push((Node::Fragment(&fragment.name), fragment.position));
                in_directives(&fragment.directives, nodes);
                in_set(&fragment.selection_set, nodes);
            }
            Definition::Operation(operation) => {
                let (name, position) = head(operation);
                nodes.push((Node::Operation(name), position));
                for variable in operation.variable_definitions() {
                    nodes.push((Node::Variable(&variable.name), variable.position));
                }
                in_directives(operation.directives(), nodes);
                in_set(operation.selection_set(), nodes);
            }
        }
    }
}

fn head(operation: &OperationDefinition) -> (Option<&str>, Pos) {
    match operation {
        OperationDefinition::SelectionSet(set) => (None, set.span.0),
        OperationDefinition::Query(found) => (found.name.as_deref(), found.position),
        OperationDefinition::Mutation(found) => (found.name.as_deref(), found.position),
        OperationDefinition::Subscription(found) => (found.name.as_deref(), found.position),
    }
}

fn in_set<'a>(set: &'a SelectionSet, nodes: &mut Nodes<'a>) {
    for item in &set.items {
        match item {
            Selection::Field(field) => {
                nodes.push((Node::Called(&field.name, &field.arguments), field.position));
                in_directives(&field.directives, nodes);
                in_set(&field.selection_set, nodes);
            }
            Selection::InlineFragment(inline) => {
                let condition = inline.type_condition.as_ref().map(condition_type);
                nodes.push((Node::Inline(condition), inline.position));
                in_directives(&inline.directives, nodes);
                in_set(&inline.selection_set, nodes);
            }
            Selection::FragmentSpread(spread) => {
                nodes.push((Node::Spread(&spread.fragment_name), spread.position));
                in_directives(&spread.directives, nodes);
            }
        }
    }
}

fn in_directives<'a>(directives: &'a [Directive], nodes: &mut Nodes<'a>) {
    for directive in directives {
        nodes.push((
            Node::Called(&directive.name, &directive.arguments),
            directive.position,
        ));
    }
}
