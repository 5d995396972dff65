//! What stands at the root of a subscription is asked whatever variables say.
//!
//! Source: GraphQL specification (September 2025), 5.2.4.1 Single Root Field.

use std::collections::{HashMap, HashSet};

use graphql_tools::static_graphql::query::{
    Definition, Directive, Document, FragmentDefinition, OperationDefinition, Selection,
    SelectionSet,
};

use crate::operation::definition::fragments;
use crate::request::{Code, GraphqlError};

/// The conditions at the roots of subscriptions, an error each.
pub(crate) fn conditions(document: &Document) -> Vec<GraphqlError> {
    let mut errors = Vec::new();
    for definition in &document.definitions {
        if let Definition::Operation(OperationDefinition::Subscription(found)) = definition {
            let mut walk = Walk {
                fragments: fragments(document),
                seen: HashSet::new(),
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
    errors: &'e mut Vec<GraphqlError>,
}

impl<'a> Walk<'a, '_> {
    fn set(&mut self, set: &'a SelectionSet) {
        for item in &set.items {
            match item {
                Selection::Field(field) => self.directives(&field.directives),
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

    fn directives(&mut self, directives: &[Directive]) {
        let is_condition = |found: &&Directive| matches!(&*found.name, "skip" | "include");
        if let Some(found) = directives.iter().find(is_condition) {
            let text =
                "a subscription has no @skip and no @include in its top level selection".to_owned();
            let error = GraphqlError::new(Code::GRAPHQL_VALIDATION_FAILED, text);
            self.errors
                .push(error.at(found.position.line, found.position.column));
        }
    }
}
