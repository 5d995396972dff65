//! The heap that a document holds.

use std::mem::size_of;

use graphql_tools::static_graphql::query::{
    Definition, Directive, Document as Ast, Field, OperationDefinition, Selection, SelectionSet,
    Type, VariableDefinition,
};

use crate::operation::definition::condition_type;
use crate::operation::document::Document;
use crate::weight::{Counted, Weight, allocation};

impl Weight for Document {
    fn heap(&self, counted: &mut Counted) -> usize {
        self.ast.heap(counted) + self.name.heap(counted) + self.conditions.heap(counted)
    }
}

impl Weight for Ast {
    fn heap(&self, counted: &mut Counted) -> usize {
        self.definitions.heap(counted)
    }
}

impl Weight for Definition {
    fn heap(&self, counted: &mut Counted) -> usize {
        match self {
            Self::Operation(operation) => operation.heap(counted),
            Self::Fragment(fragment) => {
                fragment.name.heap(counted)
                    + allocation(condition_type(&fragment.type_condition).len())
                    + fragment.directives.heap(counted)
                    + fragment.selection_set.heap(counted)
            }
        }
    }
}

impl Weight for OperationDefinition {
    fn heap(&self, counted: &mut Counted) -> usize {
        let name = match self {
            Self::SelectionSet(_) => None,
            Self::Query(found) => found.name.as_ref(),
            Self::Mutation(found) => found.name.as_ref(),
            Self::Subscription(found) => found.name.as_ref(),
        };
        let variables = self.variable_definitions();
        let variables = allocation(size_of_val(variables))
            + variables
                .iter()
                .map(|variable| variable.heap(counted))
                .sum::<usize>();
        let directives = self.directives();
        let directives = allocation(size_of_val(directives))
            + directives
                .iter()
                .map(|directive| directive.heap(counted))
                .sum::<usize>();
        name.map_or(0, |name| name.heap(counted))
            + variables
            + directives
            + self.selection_set().heap(counted)
    }
}

impl Weight for VariableDefinition {
    fn heap(&self, counted: &mut Counted) -> usize {
        self.name.heap(counted) + self.var_type.heap(counted) + self.default_value.heap(counted)
    }
}

impl Weight for Type {
    fn heap(&self, counted: &mut Counted) -> usize {
        match self {
            Self::NamedType(name) => name.heap(counted),
            Self::ListType(inner) | Self::NonNullType(inner) => {
                allocation(size_of::<Type>()) + inner.heap(counted)
            }
        }
    }
}

impl Weight for SelectionSet {
    fn heap(&self, counted: &mut Counted) -> usize {
        self.items.heap(counted)
    }
}

impl Weight for Selection {
    fn heap(&self, counted: &mut Counted) -> usize {
        match self {
            Self::Field(field) => field.heap(counted),
            Self::FragmentSpread(spread) => {
                spread.fragment_name.heap(counted) + spread.directives.heap(counted)
            }
            Self::InlineFragment(inline) => {
                let condition = inline.type_condition.as_ref();
                condition.map_or(0, |condition| allocation(condition_type(condition).len()))
                    + inline.directives.heap(counted)
                    + inline.selection_set.heap(counted)
            }
        }
    }
}

impl Weight for Field {
    fn heap(&self, counted: &mut Counted) -> usize {
        self.alias.heap(counted)
            + self.name.heap(counted)
            + self.arguments.heap(counted)
            + self.directives.heap(counted)
            + self.selection_set.heap(counted)
    }
}

impl Weight for Directive {
    fn heap(&self, counted: &mut Counted) -> usize {
        self.name.heap(counted) + self.arguments.heap(counted)
    }
}
