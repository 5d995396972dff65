//! Two shapes of data: what a client asked for ([`Shape`]), and what a fetch brings ([`ReadShape`]).
//!
//! Both name fields by a [`Key`], a small number given to every internal response key of one operation. A client's
//! own names appear in [`Shape`] alone, and only for writing the response.

use std::collections::HashMap;
use std::mem::size_of;
use std::sync::Arc;

use graphql_tools::static_graphql::query::Value;

use crate::graph::{EnumValues, TypeInfo, TypeKind, TypeRef};
use crate::request::Location;
use crate::weight::{Counted, Weight, allocation, shared};

/// An internal response key of one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key(pub(crate) u32);

impl Key {
    /// `__typename`, in every operation.
    pub(crate) const TYPENAME: Self = Self(0);
}

/// The internal response keys of one operation.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    names: Vec<Arc<str>>,
    index: HashMap<Arc<str>, Key>,
}

impl Default for Keys {
    fn default() -> Self {
        let mut keys = Self {
            names: Vec::new(),
            index: HashMap::new(),
        };
        let typename = keys.intern("__typename");
        debug_assert_eq!(typename, Key::TYPENAME);
        keys
    }
}

impl Keys {
    /// The key of a name, new if need be.
    pub(crate) fn intern(&mut self, name: &str) -> Key {
        if let Some(key) = self.index.get(name) {
            return *key;
        }
        let key = Key(u32::try_from(self.names.len()).expect("an operation has few fields"));
        let name: Arc<str> = Arc::from(name);
        self.names.push(name.clone());
        self.index.insert(name, key);
        key
    }

    /// The key of a name, if it has one.
    pub(crate) fn find(&self, name: &str) -> Option<Key> {
        self.index.get(name).copied()
    }

    /// All names, in the order of their keys.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    /// The name of a key.
    pub(crate) fn name(&self, key: Key) -> &str {
        &self.names[key.0 as usize]
    }
}

/// A name as JSON with its colon.
pub(crate) fn quoted(name: &str) -> Box<[u8]> {
    format!("\"{name}\":").into_bytes().into()
}

/// What a client asked for in one selection set.
#[derive(Debug)]
pub(crate) struct Shape {
    /// Its static type.
    pub(crate) parent: Arc<str>,
    /// Whether an object may be of a type that clients may not see, so that one of an unknown type is not shown.
    pub(crate) has_hidden: bool,
    /// One case per set of object types with the same fields; one alone when all have the same.
    pub(crate) cases: Vec<Case>,
}

/// The fields for some object types.
#[derive(Debug)]
pub(crate) struct Case {
    /// These types, sorted.
    pub(crate) types: Vec<Arc<str>>,
    /// In the order of the response.
    pub(crate) fields: Vec<ShapeField>,
}

/// One field of the response.
#[derive(Debug)]
pub(crate) struct ShapeField {
    /// The client's name for it.
    pub(crate) response: Arc<str>,
    /// The client's name as JSON with its colon: `"name":`.
    pub(crate) quoted: Box<[u8]>,
    /// Where its value is.
    pub(crate) key: Key,
    /// Its name in the schema.
    pub(crate) name: Arc<str>,
    /// Where the client's text asks for it.
    pub(crate) places: Box<[Location]>,
    /// Its arguments as written.
    pub(crate) arguments: Vec<(String, Value)>,
    /// Its type.
    pub(crate) ty: Arc<TypeRef>,
    /// Which JSON may stand there where it is a leaf.
    pub(crate) leaf: Leaf,
    /// What is asked below it; `None` for leaves.
    pub(crate) child: Option<Arc<Shape>>,
}

/// Which JSON a value of a leaf type may be. Source: GraphQL specification, 3.5 Scalars, and 3.9 Enums.
#[derive(Debug, Clone)]
pub(crate) enum Leaf {
    /// A scalar of the graph's own, which knows itself what it is; or no leaf.
    Any,
    /// A whole number; of any size, for what a subgraph can say passes.
    Int,
    /// A number.
    Float,
    /// A string.
    String,
    /// `true` or `false`.
    Boolean,
    /// A string or a whole number.
    Id,
    /// One of the names that clients may read.
    Enum(Arc<EnumValues>),
}

impl Leaf {
    /// That of a named type.
    pub(crate) fn of(ty: &TypeInfo) -> Self {
        match (ty.kind, &*ty.name) {
            (TypeKind::Enum, _) => Self::Enum(ty.values.clone()),
            (TypeKind::Scalar, "Int") => Self::Int,
            (TypeKind::Scalar, "Float") => Self::Float,
            (TypeKind::Scalar, "String") => Self::String,
            (TypeKind::Scalar, "Boolean") => Self::Boolean,
            (TypeKind::Scalar, "ID") => Self::Id,
            _ => Self::Any,
        }
    }

    /// Whether this JSON, which is not null, is of the type.
    pub(crate) fn takes(&self, json: &[u8]) -> bool {
        let Some(first) = json.first() else {
            return false;
        };
        match self {
            Self::Any => true,
            Self::Int => is_whole(json),
            Self::Float => is_number(*first),
            Self::String => *first == b'"',
            Self::Boolean => matches!(first, b't' | b'f'),
            Self::Id => *first == b'"' || is_whole(json),
            Self::Enum(values) => {
                let name = std::str::from_utf8(json).ok();
                let name = name.and_then(|text| text.strip_prefix('"')?.strip_suffix('"'));
                name.is_some_and(|name| values.contains(name))
            }
        }
    }
}

fn is_number(first: u8) -> bool {
    first == b'-' || first.is_ascii_digit()
}

/// Whether a JSON value is a whole number, also one that is written with a fraction or an exponent.
fn is_whole(json: &[u8]) -> bool {
    if !json.first().is_some_and(|first| is_number(*first)) {
        return false;
    }
    if json.iter().skip(1).all(u8::is_ascii_digit) {
        return true;
    }
    let value = std::str::from_utf8(json).ok();
    let value = value.and_then(|text| text.parse::<f64>().ok());
    value.is_some_and(|value| value.fract() == 0.0)
}

impl ShapeField {
    /// Whether a root field is resolved from the schema itself.
    pub(crate) fn is_introspection(&self) -> bool {
        &*self.name == "__schema" || &*self.name == "__type"
    }
}

impl Shape {
    /// The case for an object; `typename` may be unknown when all object types share one case.
    pub(crate) fn case(&self, typename: Option<&[u8]>) -> Option<&Case> {
        if let [only] = self.cases.as_slice() {
            let is_one = |name: &[u8]| only.types.iter().any(|ty| ty.as_bytes() == name);
            let known = typename.map_or(!self.has_hidden, is_one);
            return known.then_some(only);
        }
        let name = typename?;
        self.cases
            .iter()
            .find(|case| case.types.iter().any(|ty| ty.as_bytes() == name))
    }

    /// The case for an object of which no more is known than its interface, if it can be shown so.
    pub(crate) fn case_of_any(&self) -> Option<&Case> {
        let case = self.case(None)?;
        let tells_type = || case.fields.iter().any(|field| field.key == Key::TYPENAME);
        (case.types.len() < 2 || !tells_type()).then_some(case)
    }

    /// The first field that reads this key, in any case.
    pub(crate) fn field(&self, key: Key) -> Option<&ShapeField> {
        self.cases
            .iter()
            .flat_map(|case| &case.fields)
            .find(|field| field.key == key)
    }
}

impl Weight for Keys {
    fn heap(&self, counted: &mut Counted) -> usize {
        // The index has the same names and a few more places than it needs.
        let index = allocation(self.index.capacity() * (size_of::<(Arc<str>, Key)>() + 1));
        self.names.heap(counted) + index
    }
}

impl Weight for Shape {
    fn heap(&self, counted: &mut Counted) -> usize {
        self.cases.heap(counted)
    }
}

impl Weight for Case {
    fn heap(&self, counted: &mut Counted) -> usize {
        let types = allocation(self.types.capacity() * size_of::<Arc<str>>());
        types + self.fields.heap(counted)
    }
}

impl Weight for ShapeField {
    fn heap(&self, counted: &mut Counted) -> usize {
        // The type and its values are the graph's.
        let child = self.child.as_ref();
        self.response.heap(counted)
            + self.quoted.heap(counted)
            + self.name.heap(counted)
            + allocation(self.places.len() * size_of::<Location>())
            + self.arguments.heap(counted)
            + child.map_or(0, |child| shared(child, counted))
    }
}

/// The fields of one object in a subgraph's response.
#[derive(Debug, Default)]
pub(crate) struct ReadShape {
    /// In the order in which a well-behaved subgraph sends them.
    pub(crate) fields: Vec<ReadField>,
}

/// One field of a subgraph's response.
#[derive(Debug)]
pub(crate) struct ReadField {
    /// Its response key as bytes.
    pub(crate) name: Box<[u8]>,
    /// The same as a number.
    pub(crate) key: Key,
    /// What is read below it; `None` keeps the value as it is written.
    pub(crate) child: Option<ReadShape>,
}

impl Weight for ReadShape {
    fn heap(&self, counted: &mut Counted) -> usize {
        self.fields.heap(counted)
    }
}

impl Weight for ReadField {
    fn heap(&self, counted: &mut Counted) -> usize {
        self.name.heap(counted) + self.child.heap(counted)
    }
}

impl ReadShape {
    /// Adds a field, or merges into one of the same key.
    pub(crate) fn add(&mut self, name: &str, key: Key, child: Option<ReadShape>) {
        match self.fields.iter_mut().find(|field| field.key == key) {
            None => self.fields.push(ReadField {
                name: name.as_bytes().into(),
                key,
                child,
            }),
            Some(field) => {
                if let Some(child) = child {
                    field.child.get_or_insert_default().merge(child);
                }
            }
        }
    }

    /// Merges the fields of another shape of the same object.
    pub(crate) fn merge(&mut self, other: Self) {
        for field in other.fields {
            let name = String::from_utf8_lossy(&field.name).into_owned();
            self.add(&name, field.key, field.child);
        }
    }
}
