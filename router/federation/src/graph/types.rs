//! The types of the consumer schema in the form that requests ask about: fields, possible types, inputs, keys.
//!
//! Invariant: built once a supergraph and never changed. A type that clients may not see is not in here, apart from
//! the entity keys, which only subgraphs meet.

use std::fmt;
use std::sync::Arc;

// Names of the schema, which no client chooses.
use ahash::{HashMap, HashMapExt as _, HashSet};
use graphql_tools::static_graphql::schema::{
    Definition, Document, Field, InputValue, Type, TypeDefinition, Value,
};

use crate::graph::entity_keys::{self, EntityKeys};

/// A type with its list and non-null wrappers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum TypeRef {
    /// A named type.
    Named(Arc<str>),
    /// A list.
    List(Box<TypeRef>),
    /// Never null.
    NonNull(Box<TypeRef>),
}

impl TypeRef {
    /// The name inside all wrappers.
    pub(crate) fn name(&self) -> &Arc<str> {
        match self {
            Self::Named(name) => name,
            Self::List(inner) | Self::NonNull(inner) => inner.name(),
        }
    }

    /// Whether null is refused at the outermost level.
    pub(crate) fn is_non_null(&self) -> bool {
        matches!(self, Self::NonNull(_))
    }

    /// Whether it is a list, nullable or not.
    pub(crate) fn is_list(&self) -> bool {
        match self {
            Self::Named(_) => false,
            Self::List(_) => true,
            Self::NonNull(inner) => inner.is_list(),
        }
    }
}

impl From<&Type> for TypeRef {
    fn from(ast: &Type) -> Self {
        match ast {
            Type::NamedType(name) => Self::Named(Arc::from(name.as_str())),
            Type::ListType(inner) => Self::List(Box::new(Self::from(&**inner))),
            Type::NonNullType(inner) => Self::NonNull(Box::new(Self::from(&**inner))),
        }
    }
}

impl fmt::Display for TypeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::List(inner) => write!(f, "[{inner}]"),
            Self::NonNull(inner) => write!(f, "{inner}!"),
        }
    }
}

/// What a named type is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TypeKind {
    /// A leaf with a value of its own form.
    Scalar,
    /// A set of fields.
    Object,
    /// Fields that several objects share.
    Interface,
    /// One of several objects.
    Union,
    /// A leaf with a fixed set of names.
    Enum,
    /// A set of input fields.
    Input,
}

impl TypeKind {
    /// Whether a field of such a type has a selection of its own.
    pub(crate) const fn is_composite(self) -> bool {
        matches!(self, Self::Object | Self::Interface | Self::Union)
    }
}

/// An argument or an input object's field.
#[derive(Debug, Clone)]
pub(crate) struct InputField {
    /// Its name.
    pub(crate) name: Arc<str>,
    /// Its type.
    pub(crate) ty: TypeRef,
    /// Taken when the caller gives nothing.
    pub(crate) default: Option<Value>,
}

impl InputField {
    /// Whether it must be given.
    pub(crate) fn is_required(&self) -> bool {
        self.ty.is_non_null() && self.default.is_none()
    }
}

impl From<&InputValue> for InputField {
    fn from(ast: &InputValue) -> Self {
        Self {
            name: Arc::from(ast.name.as_str()),
            ty: TypeRef::from(&ast.value_type),
            default: ast.default_value.clone(),
        }
    }
}

/// A field of an object or interface.
#[derive(Debug, Clone)]
pub(crate) struct FieldInfo {
    /// Its type.
    pub(crate) ty: Arc<TypeRef>,
    /// Its types in subgraphs that have another, as they write them.
    pub(crate) subgraph_types: Vec<String>,
    /// Its arguments.
    pub(crate) arguments: Vec<InputField>,
}

/// The values of an enum that clients may read and write.
pub(crate) type EnumValues = HashSet<Arc<str>>;

/// A named type.
#[derive(Debug, Clone)]
pub(crate) struct TypeInfo {
    /// Its name.
    pub(crate) name: Arc<str>,
    /// What it is.
    pub(crate) kind: TypeKind,
    /// Output fields.
    pub(crate) fields: HashMap<Arc<str>, FieldInfo>,
    /// The object types that a value of it can have, sorted; an object's own name alone.
    pub(crate) possible: Arc<[Arc<str>]>,
    /// Whether a subgraph's value of it can have an object type that clients may not see.
    pub(crate) has_hidden: bool,
    /// Input fields, in order.
    pub(crate) inputs: Vec<InputField>,
    /// Enum values.
    pub(crate) values: Arc<EnumValues>,
    /// Whether exactly one input field must be given.
    pub(crate) one_of: bool,
}

/// All types that clients see, and the keys of entities.
#[derive(Debug)]
pub(crate) struct TypeTable {
    types: HashMap<Arc<str>, TypeInfo>,
    roots: [Option<Arc<str>>; 3],
    field_names: HashSet<Arc<str>>,
    directives: HashMap<Arc<str>, Vec<InputField>>,
    keys: EntityKeys,
}

impl TypeTable {
    /// Reads the consumer schema, and the entity keys from the supergraph.
    pub(crate) fn new(consumer: &Document, supergraph: &Document) -> Self {
        let mut types = HashMap::new();
        let mut directives = HashMap::new();
        for definition in &consumer.definitions {
            match definition {
                Definition::TypeDefinition(definition) => {
                    let info = type_info(definition);
                    types.insert(info.name.clone(), info);
                }
                Definition::DirectiveDefinition(directive) => {
                    let arguments = directive.arguments.iter().map(InputField::from);
                    directives.insert(Arc::from(directive.name.as_str()), arguments.collect());
                }
                Definition::SchemaDefinition(_) | Definition::TypeExtension(_) => {}
            }
        }
        fill_possible_types(&mut types, consumer, supergraph);
        fill_subgraph_types(&mut types, supergraph);
        let names = types.values().flat_map(|info| info.fields.keys().cloned());
        let field_names = names.collect();
        let roots = [
            consumer.query_type_name(),
            consumer.mutation_type_name(),
            consumer.subscription_type_name(),
        ];
        let roots = roots.map(|name| name.map(|name| Arc::from(name.as_str())));
        Self {
            types,
            roots,
            field_names,
            directives,
            keys: entity_keys::read(supergraph),
        }
    }

    /// A type by name.
    pub(crate) fn find(&self, name: &str) -> Option<&TypeInfo> {
        self.types.get(name)
    }

    /// The name of the root type of queries, mutations or subscriptions.
    pub(crate) fn root(&self, kind: crate::request::OperationKind) -> Option<&Arc<str>> {
        self.roots[kind as usize].as_ref()
    }

    /// A field of a type, by their names.
    pub(crate) fn field(&self, ty: &str, field: &str) -> Option<&FieldInfo> {
        self.types.get(ty)?.fields.get(field)
    }

    /// The arguments of a directive; none when it is unknown.
    pub(crate) fn directive(&self, name: &str) -> &[InputField] {
        self.directives.get(name).map_or(&[], Vec::as_slice)
    }

    /// The names of all types, in no order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.types.keys().map(|name| &**name)
    }

    /// The names of all directives, in no order.
    pub(crate) fn directive_names(&self) -> impl Iterator<Item = &str> {
        self.directives.keys().map(|name| &**name)
    }

    /// Whether any type has a field of this name.
    pub(crate) fn is_field_name(&self, name: &str) -> bool {
        self.field_names.contains(name)
    }

    /// Whether an object type satisfies a type condition.
    pub(crate) fn satisfies(&self, object: &str, condition: &str) -> bool {
        object == condition
            || self.types.get(condition).is_some_and(|info| {
                info.possible
                    .binary_search_by(|name| (**name).cmp(object))
                    .is_ok()
            })
    }

    /// The keys of an entity in a subgraph, each as the names of its outermost fields.
    pub(crate) fn keys(&self, subgraph: &str, ty: &str) -> &[Vec<String>] {
        self.keys
            .get(subgraph)
            .and_then(|types| types.get(ty))
            .map_or(&[], Vec::as_slice)
    }
}

fn type_info(definition: &TypeDefinition) -> TypeInfo {
    let kind = match definition {
        TypeDefinition::Scalar(_) => TypeKind::Scalar,
        TypeDefinition::Object(_) => TypeKind::Object,
        TypeDefinition::Interface(_) => TypeKind::Interface,
        TypeDefinition::Union(_) => TypeKind::Union,
        TypeDefinition::Enum(_) => TypeKind::Enum,
        TypeDefinition::InputObject(_) => TypeKind::Input,
    };
    let mut info = TypeInfo {
        name: Arc::from(definition.name()),
        kind,
        fields: HashMap::new(),
        possible: Arc::from([]),
        has_hidden: false,
        inputs: Vec::new(),
        values: Arc::default(),
        one_of: definition.is_one_of(),
    };
    match definition {
        TypeDefinition::Object(object) => {
            info.fields = fields(&object.fields);
            info.possible = Arc::from([info.name.clone()]);
        }
        TypeDefinition::Interface(interface) => info.fields = fields(&interface.fields),
        TypeDefinition::Enum(choice) => {
            let names = choice.values.iter().map(|value| value.name.as_str());
            info.values = Arc::new(names.map(Arc::from).collect());
        }
        TypeDefinition::InputObject(input) => {
            info.inputs = input.fields.iter().map(InputField::from).collect();
        }
        TypeDefinition::Scalar(_) | TypeDefinition::Union(_) => {}
    }
    info
}

fn fields(ast: &[Field]) -> HashMap<Arc<str>, FieldInfo> {
    let entry = |field: &Field| {
        let info = FieldInfo {
            ty: Arc::new(TypeRef::from(&field.field_type)),
            subgraph_types: Vec::new(),
            arguments: field.arguments.iter().map(InputField::from).collect(),
        };
        (Arc::from(field.name.as_str()), info)
    };
    ast.iter().map(entry).collect()
}

fn fill_possible_types(
    types: &mut HashMap<Arc<str>, TypeInfo>,
    consumer: &Document,
    supergraph: &Document,
) {
    for (name, objects) in possible_types(supergraph) {
        let is_hidden = |object: &Arc<str>| !types.contains_key(object);
        let has_hidden = objects.iter().any(is_hidden);
        if let Some(info) = types.get_mut(name) {
            info.has_hidden = has_hidden;
        }
    }
    for (name, mut objects) in possible_types(consumer) {
        objects.sort_unstable();
        objects.dedup();
        if let Some(info) = types.get_mut(name) {
            info.possible = objects.into();
        }
    }
}

/// Reads `@join__field(type:)` of objects.
fn fill_subgraph_types(types: &mut HashMap<Arc<str>, TypeInfo>, supergraph: &Document) {
    for definition in &supergraph.definitions {
        let Definition::TypeDefinition(TypeDefinition::Object(object)) = definition else {
            continue;
        };
        let Some(info) = types.get_mut(&*object.name) else {
            continue;
        };
        for field in &object.fields {
            if let Some(known) = info.fields.get_mut(&*field.name) {
                known.subgraph_types = types_in_subgraphs(field);
            }
        }
    }
}

fn types_in_subgraphs(field: &Field) -> Vec<String> {
    let of_join = field
        .directives
        .iter()
        .filter(|it| it.name == "join__field");
    let arguments = of_join.flat_map(|directive| &directive.arguments);
    let types = arguments.filter(|(name, _)| name == "type");
    let mut types: Vec<_> = types.map(|(_, value)| value.to_string()).collect();
    types.sort_unstable();
    types.dedup();
    types
}

/// The object types of each interface and union.
fn possible_types(document: &Document) -> HashMap<&str, Vec<Arc<str>>> {
    let mut possible: HashMap<&str, Vec<Arc<str>>> = HashMap::new();
    for definition in &document.definitions {
        match definition {
            Definition::TypeDefinition(TypeDefinition::Object(object)) => {
                for interface in &object.implements_interfaces {
                    let objects = possible.entry(interface).or_default();
                    objects.push(Arc::from(object.name.as_str()));
                }
            }
            Definition::TypeDefinition(TypeDefinition::Union(union)) => {
                let members = union.types.iter().map(|name| Arc::from(name.as_str()));
                possible.entry(&union.name).or_default().extend(members);
            }
            _ => {}
        }
    }
    possible
}
