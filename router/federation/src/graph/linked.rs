//! Directives of specifications that a supergraph links: they tell routers something, and clients nothing.
//!
//! Source: the link specification, `@link(import:)`; what it imports is no part of the schema that clients see.

use std::collections::HashSet;

use graphql_tools::static_graphql::schema::{
    Definition, Directive, Document, Field, InputValue, TypeDefinition,
};

use crate::graph::subscriptions::links;

/// The schema without the directives that `supergraph` imports.
pub(super) fn without(mut schema: Document, supergraph: &Document) -> Document {
    let links = links(supergraph);
    let imports = links.iter().flat_map(|link| &link.imports);
    let names = imports.filter_map(|(_, here)| here.strip_prefix('@'));
    let names: HashSet<&str> = names.collect();
    if names.is_empty() {
        return schema;
    }
    schema.definitions.retain(|definition| match definition {
        Definition::DirectiveDefinition(directive) => !names.contains(&*directive.name),
        _ => true,
    });
    let names = Names(names);
    for definition in &mut schema.definitions {
        if let Definition::TypeDefinition(ty) = definition {
            names.leave(ty);
        }
    }
    schema
}

struct Names<'a>(HashSet<&'a str>);

impl Names<'_> {
    fn leave(&self, ty: &mut TypeDefinition) {
        match ty {
            TypeDefinition::Scalar(scalar) => self.drop_from(&mut scalar.directives),
            TypeDefinition::Union(union) => self.drop_from(&mut union.directives),
            TypeDefinition::Object(object) => {
                self.drop_from(&mut object.directives);
                self.leave_fields(&mut object.fields);
            }
            TypeDefinition::Interface(interface) => {
                self.drop_from(&mut interface.directives);
                self.leave_fields(&mut interface.fields);
            }
            TypeDefinition::InputObject(input) => {
                self.drop_from(&mut input.directives);
                self.leave_inputs(&mut input.fields);
            }
            TypeDefinition::Enum(choice) => {
                self.drop_from(&mut choice.directives);
                for value in &mut choice.values {
                    self.drop_from(&mut value.directives);
                }
            }
        }
    }

    fn leave_fields(&self, fields: &mut [Field]) {
        for field in fields {
            self.drop_from(&mut field.directives);
            self.leave_inputs(&mut field.arguments);
        }
    }

    fn leave_inputs(&self, inputs: &mut [InputValue]) {
        for input in inputs {
            self.drop_from(&mut input.directives);
        }
    }

    fn drop_from(&self, directives: &mut Vec<Directive>) {
        directives.retain(|directive| !self.0.contains(&*directive.name));
    }
}
