//! What introspection looks at: the definitions of a schema, and what they say of themselves.

use graphql_tools::static_graphql::schema::{
    Definition, Directive, DirectiveDefinition, Document, EnumValue, Field, InputValue, Type,
    TypeDefinition, Value as Default,
};

/// Something that introspection can look at.
#[derive(Clone, Copy)]
pub(super) enum Node<'a> {
    /// All of it.
    Schema,
    /// A type by its name.
    Named(&'a TypeDefinition),
    /// A list or a non-null type.
    Wrapped(&'a Type),
    /// A field of an object or an interface.
    Field(&'a Field),
    /// An argument or a field of an input object.
    Input(&'a InputValue),
    /// A value of an enum.
    EnumValue(&'a EnumValue),
    /// A directive.
    Directive(&'a DirectiveDefinition),
}

impl<'a> Node<'a> {
    /// A type by its name.
    pub(super) fn named(consumer: &'a Document, name: &str) -> Option<Self> {
        types(consumer)
            .find(|definition| definition.name() == name)
            .map(Self::Named)
    }

    /// A type as a field or an argument names it.
    pub(super) fn of_type(consumer: &'a Document, ty: &'a Type) -> Option<Self> {
        match ty {
            Type::NamedType(name) => Self::named(consumer, name),
            Type::ListType(_) | Type::NonNullType(_) => Some(Self::Wrapped(ty)),
        }
    }
}

/// The types of a schema.
pub(super) fn types(consumer: &Document) -> impl Iterator<Item = &TypeDefinition> {
    consumer
        .definitions
        .iter()
        .filter_map(|definition| match definition {
            Definition::TypeDefinition(definition) => Some(definition),
            _ => None,
        })
}

/// What `__Type.kind` says of a type.
pub(super) fn kind(definition: &TypeDefinition) -> &'static str {
    match definition {
        TypeDefinition::Scalar(_) => "SCALAR",
        TypeDefinition::Object(_) => "OBJECT",
        TypeDefinition::Interface(_) => "INTERFACE",
        TypeDefinition::Union(_) => "UNION",
        TypeDefinition::Enum(_) => "ENUM",
        TypeDefinition::InputObject(_) => "INPUT_OBJECT",
    }
}

/// What the schema says of a type.
pub(super) fn description(definition: &TypeDefinition) -> Option<&str> {
    let text = match definition {
        TypeDefinition::Scalar(found) => &found.description,
        TypeDefinition::Object(found) => &found.description,
        TypeDefinition::Interface(found) => &found.description,
        TypeDefinition::Union(found) => &found.description,
        TypeDefinition::Enum(found) => &found.description,
        TypeDefinition::InputObject(found) => &found.description,
    };
    text.as_deref()
}

/// Whether it is deprecated.
pub(super) fn is_deprecated(directives: &[Directive]) -> bool {
    directives
        .iter()
        .any(|directive| directive.name == "deprecated")
}

/// A text that a directive carries.
pub(super) fn directive_text<'d>(
    directives: &'d [Directive],
    name: &str,
    argument: &str,
) -> Option<&'d str> {
    let directive = directives.iter().find(|directive| directive.name == name)?;
    match directive
        .arguments
        .iter()
        .find(|(found, _)| found == argument)?
    {
        (_, Default::String(text)) => Some(text),
        _ => None,
    }
}
