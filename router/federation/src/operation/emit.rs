//! From a canonical shape to the documents that are planned.
//!
//! Invariant: no fragment but `... on` an object type, no condition, no alias but an internal key. Below an interface or
//! union stands `__typename` where the response could not tell what it writes without it, and nowhere else: a subgraph's
//! `@provides` never lists it, so the planner would leave the provided path to ask for it elsewhere. Where a fragment
//! stands, the planner asks for it by itself.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use graphql_tools::parser::Pos;
use graphql_tools::static_graphql::query::{
    self, Definition, Field, OperationDefinition, Selection, SelectionSet, TypeCondition, Value,
    VariableDefinition,
};

use crate::graph::{FieldInfo, TypeKind, TypeTable};
use crate::operation::document::Document;
use crate::request::OperationKind;
use crate::shape::{Key, Keys, Shape, ShapeField};

/// A document for the planner.
#[derive(Debug)]
pub(crate) struct ToPlan {
    /// Of a mutation, which root field this is.
    pub(crate) root_field: Option<usize>,
    /// One operation without fragments, conditions and introspection.
    pub(crate) document: query::Document,
}

/// Writes what is to be planned: of a mutation a document per root field, else at most one.
pub(crate) fn documents(
    types: &TypeTable,
    keys: &Keys,
    document: &Document,
    shape: &Shape,
) -> Vec<ToPlan> {
    Emitter { types, keys }.documents(document, shape)
}

/// Writes documents for the planner from a shape.
struct Emitter<'a> {
    types: &'a TypeTable,
    keys: &'a Keys,
}

impl Emitter<'_> {
    fn documents(&self, document: &Document, shape: &Shape) -> Vec<ToPlan> {
        let Some(case) = shape.cases.first() else {
            return Vec::new();
        };
        let fetched = |field: &ShapeField| field.key != Key::TYPENAME && !field.is_introspection();
        let fields = case
            .fields
            .iter()
            .enumerate()
            .filter(|(_, field)| fetched(field));
        if document.kind == OperationKind::Mutation {
            let one = |(position, field): (usize, &ShapeField)| ToPlan {
                root_field: Some(position),
                document: self.document(document, &[field]),
            };
            return fields.map(one).collect();
        }
        let fields: Vec<_> = fields.map(|(_, field)| field).collect();
        if fields.is_empty() {
            return Vec::new();
        }
        vec![ToPlan {
            root_field: None,
            document: self.document(document, &fields),
        }]
    }

    fn document(&self, document: &Document, fields: &[&ShapeField]) -> query::Document {
        let mut used = BTreeSet::new();
        let selection_set = self.fields(fields.iter().copied(), &mut used);
        let variables = document.variables().iter();
        let variable_definitions: Vec<VariableDefinition> = variables
            .filter(|variable| used.contains(&variable.name))
            .cloned()
            .collect();
        let position = Pos::default();
        let (name, directives) = (None, Vec::new());
        let operation = match document.kind {
            OperationKind::Query => OperationDefinition::Query(query::Query {
                position,
                name,
                variable_definitions,
                directives,
                selection_set,
            }),
            OperationKind::Mutation => OperationDefinition::Mutation(query::Mutation {
                position,
                name,
                variable_definitions,
                directives,
                selection_set,
            }),
            OperationKind::Subscription => OperationDefinition::Subscription(query::Subscription {
                position,
                name,
                variable_definitions,
                directives,
                selection_set,
            }),
        };
        query::Document {
            definitions: vec![Definition::Operation(operation)],
        }
    }

    fn fields<'f>(
        &self,
        fields: impl Iterator<Item = &'f ShapeField>,
        used: &mut BTreeSet<String>,
    ) -> SelectionSet {
        let mut seen = HashSet::new();
        let mut items = Vec::new();
        for field in fields {
            // A leaf under two names of the client is one leaf here.
            if field.child.is_none() && !seen.insert(field.key) {
                continue;
            }
            items.push(Selection::Field(self.field(field, used)));
        }
        set(items)
    }

    fn field(&self, field: &ShapeField, used: &mut BTreeSet<String>) -> Field {
        let key = self.keys.name(field.key);
        for (_, value) in &field.arguments {
            variables_in(value, used);
        }
        Field {
            position: Pos::default(),
            alias: (*key != *field.name).then(|| key.to_owned()),
            name: field.name.to_string(),
            arguments: field.arguments.clone(),
            directives: Vec::new(),
            selection_set: match &field.child {
                Some(shape) => self.selection(shape, used),
                None => set(Vec::new()),
            },
        }
    }

    fn selection(&self, shape: &Shape, used: &mut BTreeSet<String>) -> SelectionSet {
        let is_object = self
            .types
            .find(&shape.parent)
            .is_some_and(|info| info.kind == TypeKind::Object);
        if is_object {
            let fields = shape.cases.iter().flat_map(|case| &case.fields);
            let mut set = self.fields(fields, used);
            if set.items.is_empty() {
                set.items.push(typename());
            }
            return set;
        }
        let shared =
            |field: &&ShapeField| field.key != Key::TYPENAME && self.is_shared(shape, field);
        let first = shape.cases.first().map_or(&[][..], |case| &case.fields);
        let mut items = self.fields(first.iter().filter(shared), used).items;
        let shared_items = items.len();
        for case in &shape.cases {
            let own = |field: &&ShapeField| !shared(field) && field.key != Key::TYPENAME;
            let own: Vec<_> = case.fields.iter().filter(own).collect();
            if own.is_empty() {
                continue;
            }
            for object in &case.types {
                let fields = self.fields(own.iter().copied(), used);
                items.push(fragment(object, fields));
            }
        }
        let is_told_apart = shape.cases.len() < 2 || items.len() > shared_items;
        if items.is_empty() || !is_told_apart || Self::asks_for_typename(shape) {
            items.insert(0, typename());
        }
        set(items)
    }

    /// Whether the client reads the type's name, or may not read of some of the objects.
    fn asks_for_typename(shape: &Shape) -> bool {
        let asked = |field: &ShapeField| field.key == Key::TYPENAME;
        let mut fields = shape.cases.iter().flat_map(|case| &case.fields);
        shape.has_hidden || fields.any(asked)
    }

    /// Whether all object types share this field with all that is below it, asked of the static type, which has it with these
    /// arguments and with the same type below it: what is selected of a `Book` cannot be selected of a `Product`. What is
    /// asked of each object by itself stays there: a subgraph may have the field of its objects, and not of the interface.
    fn is_shared(&self, shape: &Shape, field: &ShapeField) -> bool {
        let alike = |other: &ShapeField| {
            other.key == field.key
                && match (&other.child, &field.child) {
                    (Some(one), Some(two)) => Arc::ptr_eq(one, two),
                    (None, None) => other.places.iter().any(|it| field.places.contains(it)),
                    _ => false,
                }
        };
        let has_arguments = |info: &FieldInfo| {
            let mut given = field.arguments.iter();
            given.all(|(name, _)| info.arguments.iter().any(|known| *known.name == **name))
        };
        let has_type = |info: &FieldInfo| {
            let child = field.child.as_ref();
            child.is_none_or(|child| child.parent == *info.ty.name())
        };
        let info = self.types.field(&shape.parent, &field.name);
        info.is_some_and(|info| has_arguments(info) && has_type(info))
            && shape.cases.iter().all(|case| case.fields.iter().any(alike))
    }
}

fn set(items: Vec<Selection>) -> SelectionSet {
    SelectionSet {
        span: (Pos::default(), Pos::default()),
        items,
    }
}

fn fragment(object: &str, selection_set: SelectionSet) -> Selection {
    Selection::InlineFragment(query::InlineFragment {
        position: Pos::default(),
        type_condition: Some(TypeCondition::On(object.to_owned())),
        directives: Vec::new(),
        selection_set,
    })
}

fn typename() -> Selection {
    Selection::Field(Field {
        position: Pos::default(),
        alias: None,
        name: "__typename".to_owned(),
        arguments: Vec::new(),
        directives: Vec::new(),
        selection_set: set(Vec::new()),
    })
}

fn variables_in(value: &Value, used: &mut BTreeSet<String>) {
    match value {
        Value::Variable(name) => {
            used.insert(name.clone());
        }
        Value::List(items) => items.iter().for_each(|item| variables_in(item, used)),
        Value::Object(fields) => fields
            .iter()
            .for_each(|(_, value)| variables_in(value, used)),
        Value::Int(_)
        | Value::Float(_)
        | Value::String(_)
        | Value::Boolean(_)
        | Value::Null
        | Value::Enum(_) => {}
    }
}
