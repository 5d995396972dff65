//! What stands at the root of a subscription: one field under one name, which is asked whatever variables say.
//!
//! Source: GraphQL specification (September 2025), 5.2.4.1 Single Root Field.

use std::collections::{HashMap, HashSet};

use graphql_tools::parser::Pos;
use graphql_tools::static_graphql::query::{
    Definition, Directive, Document, Field, FragmentDefinition, OperationDefinition, Selection,
    SelectionSet,
};

use crate::operation::definition::fragments;
use crate::request::{Code, GraphqlError};

/// What is wrong at the roots of subscriptions, an error each: a condition, and a name beside the first. The library takes
/// one field under several names for one.
pub(crate) fn faults(document: &Document) -> Vec<GraphqlError> {
    let mut errors = Vec::new();
    for definition in &document.definitions {
        if let Definition::Operation(OperationDefinition::Subscription(found)) = definition {
            let mut walk = Walk {
                fragments: fragments(document),
                seen: HashSet::new(),
                first: None,
                errors: &mut errors,
            };
            walk.set(&found.selection_set);
        }
    }
    errors
}

struct Walk<'a, 'e> {
    fragments: HashMap<&'a str, &'a FragmentDefinition>,
    seen: HashSet<&'a str>,
    /// The response key of the first field.
    first: Option<&'a str>,
    errors: &'e mut Vec<GraphqlError>,
}

impl<'a> Walk<'a, '_> {
    fn set(&mut self, set: &'a SelectionSet) {
        for item in &set.items {
            match item {
                Selection::Field(field) => {
                    self.directives(&field.directives);
                    self.field(field);
                }
                Selection::InlineFragment(inline) => {
                    self.directives(&inline.directives);
                    self.set(&inline.selection_set);
                }
                Selection::FragmentSpread(spread) => {
                    self.directives(&spread.directives);
                    let name = spread.fragment_name.as_str();
                    if self.seen.insert(name)
                        && let Some(fragment) = self.fragments.get(name).copied()
                    {
                        self.set(&fragment.selection_set);
                    }
                }
            }
        }
    }

    fn field(&mut self, field: &'a Field) {
        let key = field.alias.as_deref().unwrap_or(&field.name);
        if *self.first.get_or_insert(key) != key {
            let text = "a subscription selects one field at its top level".to_owned();
            self.refuse(text, field.position);
        }
    }

    fn refuse(&mut self, text: String, at: Pos) {
        let error = GraphqlError::new(Code::GRAPHQL_VALIDATION_FAILED, text);
        self.errors.push(error.at(at.line, at.column));
    }

    fn directives(&mut self, directives: &[Directive]) {
        let is_condition = |found: &&Directive| matches!(&*found.name, "skip" | "include");
        if let Some(found) = directives.iter().find(is_condition) {
            let text =
                "a subscription has no @skip and no @include in its top level selection".to_owned();
            self.refuse(text, found.position);
        }
    }
}
