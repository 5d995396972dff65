//! A loaded supergraph: the schema that clients see, and its types as a table.

use std::sync::Arc;

use graphql_tools::static_graphql::schema::{Document, TypeDefinition};

use crate::graph::sdl::sdl;
use crate::graph::{LoadError, TypeTable, builtin, linked};

/// A loaded supergraph.
pub(crate) struct Supergraph {
    /// What clients see: validation, introspection and SDL read it.
    pub(crate) consumer: Arc<Document>,
    /// The same as a table.
    pub(crate) types: TypeTable,
}

impl Supergraph {
    /// Takes the schema that clients see, and the document that it was derived from.
    ///
    /// # Errors
    /// [`LoadError::NoQueries`], where clients may not see them.
    pub(crate) fn new(consumer: &Document, document: &Document) -> Result<Self, LoadError> {
        let consumer = linked::without(consumer.clone(), document);
        let consumer = Arc::new(builtin::replaced(consumer));
        let types = TypeTable::new(&consumer, document);
        check_queries(&consumer)?;
        Ok(Self { consumer, types })
    }

    /// Whether a directive may stand at a variable; `None` when there is no such directive.
    pub(crate) fn is_for_variables(&self, directive: &str) -> Option<bool> {
        use graphql_tools::static_graphql::schema::Definition;
        let mut definitions = self.consumer.definitions.iter();
        definitions.find_map(|definition| match definition {
            Definition::DirectiveDefinition(found) if found.name == directive => {
                let mut locations = found.locations.iter();
                Some(locations.any(|location| location.as_str() == "VARIABLE_DEFINITION"))
            }
            _ => None,
        })
    }

    /// The consumer schema as SDL, without the types of introspection.
    pub(crate) fn sdl(&self) -> String {
        use graphql_tools::static_graphql::schema::{Definition, TypeDefinition};
        let mut document = (*self.consumer).clone();
        document.definitions.retain(|definition| match definition {
            Definition::TypeDefinition(definition) => !is_internal(definition.name()),
            Definition::DirectiveDefinition(directive) => !is_standard_directive(&directive.name),
            Definition::SchemaDefinition(_) | Definition::TypeExtension(_) => true,
        });
        for definition in &mut document.definitions {
            if let Definition::TypeDefinition(TypeDefinition::Object(object)) = definition {
                object.fields.retain(|field| !field.name.starts_with("__"));
            }
        }
        sdl(&document)
    }
}

/// Checks that a schema has an object type for queries, which the planner's crate takes for granted.
///
/// # Errors
/// [`LoadError::NoQueries`].
pub(crate) fn check_queries(schema: &Document) -> Result<(), LoadError> {
    let name = schema.query_type_name();
    match name.and_then(|name| schema.type_by_name(name)) {
        Some(TypeDefinition::Object(_)) => Ok(()),
        Some(_) | None => Err(LoadError::NoQueries),
    }
}

fn is_internal(name: &str) -> bool {
    name.starts_with("__") || matches!(name, "String" | "Int" | "Float" | "Boolean" | "ID")
}

fn is_standard_directive(name: &str) -> bool {
    matches!(
        name,
        "skip" | "include" | "deprecated" | "specifiedBy" | "oneOf"
    )
}
