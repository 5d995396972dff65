//! Loading a supergraph: its text once becomes the planner, the consumer schema and the type table.

use std::sync::Arc;

use graphql_tools::static_graphql::schema::Document;

use crate::engine::LoadError;
use crate::graph::TypeTable;
use crate::plan::planner::Planner;

/// A loaded supergraph.
pub(crate) struct Supergraph {
    /// Decides the fetches.
    pub(crate) planner: Planner,
    /// What clients see: validation, introspection and SDL read it.
    pub(crate) consumer: Arc<Document>,
    /// The same as a table.
    pub(crate) types: TypeTable,
}

impl Supergraph {
    /// Parses and checks a supergraph.
    ///
    /// # Errors
    /// [`LoadError::Parse`] when the text is no schema, [`LoadError::Planner`] when nothing can be planned over it.
    pub(crate) fn load(sdl: &str) -> Result<Self, LoadError> {
        let (planner, supergraph) = Planner::load(sdl)?;
        let consumer = planner.consumer_schema();
        let types = TypeTable::new(&consumer, &supergraph);
        Ok(Self {
            planner,
            consumer,
            types,
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
        document.to_string()
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
