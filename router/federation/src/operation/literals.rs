//! Whether the literals of a document fit the types of the places where they stand, and whether a field that begins with two
//! underscores is one that there is.
//!
//! Strict where variables are lenient: an enum value is no string, a string is no enum value, an object is neither. A
//! scalar that is not built in takes any literal; what its subgraph thinks of it comes with the response.
//! Source: GraphQL specification, 5.6 Values, and 3.13 for coercion.

use graphql_tools::parser::Pos;
use graphql_tools::static_graphql::query::{
    Definition, Directive, Document, Field, Selection, SelectionSet, Value,
};

use crate::graph::{InputField, TypeInfo, TypeKind, TypeRef, TypeTable};
use crate::operation::definition::{condition_type, kind};
use crate::operation::syntax::number;
use crate::request::{Code, GraphqlError, OperationKind};

/// More errors than this tell nothing new.
const MAX_ERRORS: usize = 100;

/// The literals that do not fit, each as an error at its field, directive or variable.
pub(crate) fn misfits(types: &TypeTable, document: &Document) -> Vec<GraphqlError> {
    let mut walk = Walk {
        types,
        errors: Vec::new(),
    };
    for definition in &document.definitions {
        match definition {
            Definition::Operation(operation) => {
                walk.directives(operation.directives());
                for variable in operation.variable_definitions() {
                    if let Some(value) = &variable.default_value {
                        let ty = TypeRef::from(&variable.var_type);
                        walk.value(&ty, value, variable.position);
                    }
                }
                if let Some(root) = types.root(kind(operation)) {
                    walk.set(root, operation.selection_set());
                }
            }
            Definition::Fragment(fragment) => {
                walk.directives(&fragment.directives);
                let parent = condition_type(&fragment.type_condition);
                walk.set(parent, &fragment.selection_set);
            }
        }
    }
    walk.errors
}

struct Walk<'a> {
    types: &'a TypeTable,
    errors: Vec<GraphqlError>,
}

impl Walk<'_> {
    fn set(&mut self, parent: &str, set: &SelectionSet) {
        for item in &set.items {
            if self.errors.len() >= MAX_ERRORS {
                return;
            }
            match item {
                Selection::Field(field) => self.field(parent, field),
                Selection::InlineFragment(inline) => {
                    self.directives(&inline.directives);
                    let condition = inline.type_condition.as_ref().map(condition_type);
                    self.set(condition.unwrap_or(parent), &inline.selection_set);
                }
                Selection::FragmentSpread(spread) => self.directives(&spread.directives),
            }
        }
    }

    fn field(&mut self, parent: &str, field: &Field) {
        self.directives(&field.directives);
        let types = self.types;
        if let Some(info) = types.field(parent, &field.name) {
            self.arguments(&info.arguments, &field.arguments, field.position);
            if !field.selection_set.items.is_empty() {
                self.set(info.ty.name(), &field.selection_set);
            }
        } else if field.name == "__typename" {
            self.typename(field);
        } else if field.name.starts_with("__") && !self.is_meta_field(parent, &field.name) {
            let name: String = field.name.chars().take(80).collect();
            let text = format!("Cannot query field \"{name}\" on type \"{parent}\".");
            let error = GraphqlError::new(Code::GRAPHQL_VALIDATION_FAILED, text);
            let Pos { line, column } = field.position;
            self.errors.push(error.at(line, column));
        }
    }

    /// A leaf without arguments, which the library does not look at.
    fn typename(&mut self, field: &Field) {
        if let Some((name, _)) = field.arguments.first() {
            let text = format!("Unknown argument \"{name}\" on field \"__typename\".");
            self.error(text, field.position);
        }
        if !field.selection_set.items.is_empty() {
            let text = "Field \"__typename\" must not have a selection since type \"String!\" has no subfields.";
            self.error(text.to_owned(), field.position);
        }
    }

    /// The library takes whatever begins with two underscores for a field of every type.
    /// Source: GraphQL specification, 4.1 and 4.2.
    fn is_meta_field(&self, parent: &str, name: &str) -> bool {
        match name {
            "__schema" | "__type" => self
                .types
                .root(OperationKind::Query)
                .is_some_and(|root| **root == *parent),
            _ => false,
        }
    }

    fn directives(&mut self, directives: &[Directive]) {
        for directive in directives {
            let definitions = self.types.directive(&directive.name);
            self.arguments(definitions, &directive.arguments, directive.position);
        }
    }

    fn arguments(&mut self, definitions: &[InputField], given: &[(String, Value)], at: Pos) {
        for (name, value) in given {
            if let Some(definition) = definitions.iter().find(|found| *found.name == **name) {
                self.value(&definition.ty, value, at);
            }
        }
    }

    fn value(&mut self, ty: &TypeRef, value: &Value, at: Pos) {
        match (ty, value) {
            (_, Value::Variable(_)) => {}
            (TypeRef::NonNull(_), Value::Null) => self.misfit(ty, value, at),
            (TypeRef::NonNull(inner), _) => self.value(inner, value, at),
            (_, Value::Null) => {}
            (TypeRef::List(inner), Value::List(items)) => {
                for item in items {
                    if self.errors.len() >= MAX_ERRORS {
                        return;
                    }
                    self.value(inner, item, at);
                }
            }
            (TypeRef::List(inner), _) => self.value(inner, value, at),
            (TypeRef::Named(name), _) => match self.types.find(name) {
                Some(info) => self.named(info, value, at),
                None => self.misfit(ty, value, at),
            },
        }
    }

    fn named(&mut self, info: &TypeInfo, value: &Value, at: Pos) {
        let fits = match (info.kind, value) {
            (TypeKind::Scalar, _) => fits_scalar(&info.name, value),
            (TypeKind::Enum, Value::Enum(name)) => info.values.contains(name.as_str()),
            (TypeKind::Input, Value::Object(fields)) => return self.object(info, fields, at),
            _ => false,
        };
        if !fits {
            self.misfit(&info.name, value, at);
        }
    }

    fn object(&mut self, info: &TypeInfo, given: &[(String, Value)], at: Pos) {
        for (name, value) in given {
            if self.errors.len() >= MAX_ERRORS {
                return;
            }
            match info.inputs.iter().find(|field| *field.name == **name) {
                Some(field) => self.value(&field.ty, value, at),
                None => {
                    let text =
                        format!("Field \"{name}\" is not defined by type \"{}\".", info.name);
                    self.error(text, at);
                }
            }
        }
        for field in info.inputs.iter().filter(|field| field.is_required()) {
            if !given.iter().any(|(name, _)| **name == *field.name) {
                let text = format!(
                    "Field \"{}.{}\" of required type \"{}\" was not provided.",
                    info.name, field.name, field.ty
                );
                self.error(text, at);
            }
        }
        if info.one_of && !matches!(given, [(_, value)] if *value != Value::Null) {
            let text = format!(
                "Exactly one field of \"{}\" must be given, not null.",
                info.name
            );
            self.error(text, at);
        }
    }

    fn misfit(&mut self, wanted: &dyn std::fmt::Display, value: &Value, at: Pos) {
        let text = format!(
            "Expected value of type \"{wanted}\", found {}.",
            shown(value)
        );
        self.error(text, at);
    }

    fn error(&mut self, text: String, at: Pos) {
        let error = GraphqlError::new(Code::GRAPHQL_VALIDATION_FAILED, text);
        self.errors.push(error.at(at.line, at.column));
    }
}

fn fits_scalar(name: &str, value: &Value) -> bool {
    if let Value::Enum(text) = value
        && number::is_number(text)
    {
        return match name {
            "Int" => text == "-0",
            "String" | "Boolean" => false,
            "ID" => number::is_whole(text),
            _ => true,
        };
    }
    match name {
        "Int" => {
            matches!(value, Value::Int(number) if number.as_i64().is_some_and(|whole| i32::try_from(whole).is_ok()))
        }
        "Float" => matches!(value, Value::Int(_) | Value::Float(_)),
        "String" => matches!(value, Value::String(_)),
        "Boolean" => matches!(value, Value::Boolean(_)),
        "ID" => matches!(value, Value::String(_) | Value::Int(_)),
        _ => true,
    }
}

/// A literal in a message: what it is when it is long or has parts.
fn shown(value: &Value) -> String {
    const MOST: usize = 80;
    match value {
        Value::List(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::String(text) if text.len() > MOST => "a long string".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
#[path = "literals_tests.rs"]
mod tests;
