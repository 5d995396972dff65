//! Reading the definitions of a document.

use std::collections::HashMap;

use graphql_tools::static_graphql::query::{
    Definition, Document, FragmentDefinition, OperationDefinition, TypeCondition,
};

use crate::request::OperationKind;

/// What an operation is.
pub(super) fn kind(operation: &OperationDefinition) -> OperationKind {
    match operation {
        OperationDefinition::Query(_) | OperationDefinition::SelectionSet(_) => {
            OperationKind::Query
        }
        OperationDefinition::Mutation(_) => OperationKind::Mutation,
        OperationDefinition::Subscription(_) => OperationKind::Subscription,
    }
}

/// The fragments of a document by name.
pub(super) fn fragments(document: &Document) -> HashMap<&str, &FragmentDefinition> {
    let definitions = document.definitions.iter();
    let fragments = definitions.filter_map(|definition| match definition {
        Definition::Fragment(fragment) => Some((fragment.name.as_str(), fragment)),
        Definition::Operation(_) => None,
    });
    fragments.collect()
}

/// The type that a condition names.
pub(super) fn condition_type(condition: &TypeCondition) -> &str {
    let TypeCondition::On(name) = condition;
    name
}
