//! How many objects introspection gives for a whole schema: the measure of what reading it may cost.

use graphql_tools::static_graphql::schema::{
    Definition, Document, Field, InputValue, Type, TypeDefinition,
};

/// The objects of one answer that tells all of the schema once, each type reference down to its name.
pub(crate) fn schema_size(consumer: &Document) -> u64 {
    let definitions = consumer.definitions.iter();
    let sizes = definitions.map(|definition| match definition {
        Definition::TypeDefinition(definition) => 1 + below(definition),
        Definition::DirectiveDefinition(directive) => 1 + of_inputs(&directive.arguments),
        Definition::SchemaDefinition(_) | Definition::TypeExtension(_) => 0,
    });
    sizes.sum()
}

fn below(definition: &TypeDefinition) -> u64 {
    match definition {
        TypeDefinition::Scalar(_) => 0,
        TypeDefinition::Object(object) => {
            // Each is listed by the interface, too.
            of_fields(&object.fields) + 2 * count(&object.implements_interfaces)
        }
        TypeDefinition::Interface(interface) => {
            of_fields(&interface.fields) + count(&interface.implements_interfaces)
        }
        TypeDefinition::Union(union) => count(&union.types),
        TypeDefinition::Enum(choice) => count(&choice.values),
        TypeDefinition::InputObject(input) => of_inputs(&input.fields),
    }
}

fn of_fields(fields: &[Field]) -> u64 {
    let shown = fields.iter().filter(|field| !field.name.starts_with("__"));
    shown
        .map(|field| 1 + of_type(&field.field_type) + of_inputs(&field.arguments))
        .sum()
}

fn of_inputs(inputs: &[InputValue]) -> u64 {
    inputs
        .iter()
        .map(|input| 1 + of_type(&input.value_type))
        .sum()
}

fn of_type(ty: &Type) -> u64 {
    match ty {
        Type::NamedType(_) => 1,
        Type::ListType(inner) | Type::NonNullType(inner) => 1 + of_type(inner),
    }
}

fn count<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}
