//! What every schema has by itself: the types of introspection, the built-in scalars and directives.
//!
//! They are as graphql-js has them, in place of the planner's. Source: GraphQL specification, 3.5, 3.13 and 4.2.

use std::collections::HashSet;

use graphql_tools::parser::parse_schema;
use graphql_tools::static_graphql::schema::{
    Definition, Document, Field, InputValue, Type, TypeDefinition,
};

const BUILT_IN: &str = include_str!("introspection.graphql");

/// Scalars that a schema has only where it uses them; String and Boolean are used by introspection itself.
const IF_USED: [&str; 3] = ["Int", "Float", "ID"];

/// The schema with what is built in as graphql-js has it.
pub(crate) fn replaced(mut schema: Document) -> Document {
    let built_in = parse_schema::<String>(BUILT_IN);
    let built_in = built_in.expect("a test parses it").into_static();
    let names: HashSet<_> = built_in.definitions.iter().filter_map(name).collect();
    schema
        .definitions
        .retain(|definition| !name(definition).is_some_and(|name| names.contains(&name)));
    let used = used(&schema);
    let is_wanted = |definition: &Definition<'static, String>| match name(definition) {
        Some(Name::Type(name)) => !IF_USED.contains(&&*name) || used.contains(&name),
        Some(Name::Directive(_)) | None => true,
    };
    schema
        .definitions
        .extend(built_in.definitions.into_iter().filter(is_wanted));
    schema
}

#[derive(PartialEq, Eq, Hash)]
enum Name {
    Type(String),
    Directive(String),
}

fn name(definition: &Definition<'static, String>) -> Option<Name> {
    match definition {
        Definition::TypeDefinition(found) => Some(Name::Type(found.name().to_owned())),
        Definition::DirectiveDefinition(found) => Some(Name::Directive(found.name.clone())),
        Definition::SchemaDefinition(_) | Definition::TypeExtension(_) => None,
    }
}

/// The names of all types that fields, arguments and input fields have.
fn used(schema: &Document) -> HashSet<String> {
    let mut used = HashSet::new();
    for definition in &schema.definitions {
        match definition {
            Definition::TypeDefinition(TypeDefinition::Object(found)) => {
                of_fields(&found.fields, &mut used);
            }
            Definition::TypeDefinition(TypeDefinition::Interface(found)) => {
                of_fields(&found.fields, &mut used);
            }
            Definition::TypeDefinition(TypeDefinition::InputObject(found)) => {
                of_inputs(&found.fields, &mut used);
            }
            Definition::DirectiveDefinition(found) => of_inputs(&found.arguments, &mut used),
            _ => {}
        }
    }
    used
}

fn of_fields(fields: &[Field], used: &mut HashSet<String>) {
    for field in fields {
        used.insert(innermost(&field.field_type).to_owned());
        of_inputs(&field.arguments, used);
    }
}

fn of_inputs(inputs: &[InputValue], used: &mut HashSet<String>) {
    let names = inputs.iter().map(|input| innermost(&input.value_type));
    used.extend(names.map(str::to_owned));
}

fn innermost(ty: &Type) -> &str {
    match ty {
        Type::NamedType(name) => name,
        Type::ListType(inner) | Type::NonNullType(inner) => innermost(inner),
    }
}
