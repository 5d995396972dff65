//! Which internal response key a field gets: its name, or its name with a number when more tells fields apart.

use std::collections::HashMap;

use graphql_tools::static_graphql::query::Field;

use crate::graph::{FieldInfo, TypeRef, TypeTable};
use crate::shape::{Key, Keys};

/// The response keys of one operation in the making.
pub(super) struct ResponseKeys<'a> {
    types: &'a TypeTable,
    keys: Keys,
    /// The name of a field, and what else identifies it, to its key.
    numbered: HashMap<(String, String), Key>,
    /// The next number to try for a name.
    next: HashMap<String, u32>,
}

/// The client's names of each field of one selection set, by the field's name and arguments.
///
/// A leaf under two names is one leaf. An object under two names stays two: a null that propagates in one must not
/// take the other with it. A mutation's root field happens once for each name.
#[derive(Default)]
pub(super) struct AliasedDuplicates<'a>(HashMap<(String, String), Vec<&'a str>>);

impl<'a> ResponseKeys<'a> {
    /// No key but that of `__typename`.
    pub(super) fn new(types: &'a TypeTable) -> Self {
        Self {
            types,
            keys: Keys::default(),
            numbered: HashMap::new(),
            next: HashMap::new(),
        }
    }

    /// All keys that were given.
    pub(super) fn into_keys(self) -> Keys {
        self.keys
    }

    /// The keys so far.
    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The key of a field below `parent`.
    ///
    /// Fields of one name whose types differ between objects, for clients or in a subgraph, get different keys: a subgraph
    /// refuses two types under one. `subgraph_types` are those of [`Self::subgraph_types`], where they matter. `duplicate`
    /// numbers the fields of one selection set that differ in nothing but the client's name.
    pub(super) fn key(
        &mut self,
        parent: &str,
        node: &Field,
        ty: &TypeRef,
        subgraph_types: Option<&[String]>,
        duplicate: usize,
    ) -> Key {
        let name = node.name.as_str();
        if name == "__typename" {
            return Key::TYPENAME;
        }
        let mut identity = arguments_text(node);
        if subgraph_types.is_some() || !self.has_one_type(parent, name) {
            identity.push_str(" as ");
            identity.push_str(&ty.to_string());
        }
        for other in subgraph_types.unwrap_or_default() {
            identity.push(' ');
            identity.push_str(other);
        }
        if duplicate > 0 {
            identity.push_str(" again ");
            identity.push_str(&duplicate.to_string());
        }
        if identity.is_empty() {
            return self.keys.intern(name);
        }
        let field = (name.to_owned(), identity);
        if let Some(key) = self.numbered.get(&field) {
            return *key;
        }
        let text = self.free_name(name);
        let key = self.keys.intern(&text);
        self.numbered.insert(field, key);
        key
    }

    /// The name with the first number that makes it no field's name and no key so far.
    fn free_name(&mut self, name: &str) -> String {
        let next = self.next.entry(name.to_owned()).or_insert(1);
        loop {
            let text = format!("{name}_{next}");
            *next += 1;
            if !self.types.is_field_name(&text) && self.keys.find(&text).is_none() {
                return text;
            }
        }
    }

    /// Whether all object types that `parent` can be give a field of this name the same type.
    fn has_one_type(&self, parent: &str, name: &str) -> bool {
        self.is_one(parent, name, |info| &info.ty)
    }

    /// The types that subgraphs give an object's field, when they differ between the object types that `parent` can be.
    pub(super) fn subgraph_types(
        &self,
        parent: &str,
        object: &str,
        name: &str,
    ) -> Option<&'a [String]> {
        let info = self.types.field(object, name)?;
        let is_one = self.is_one(parent, name, |info| &info.subgraph_types);
        (!is_one).then_some(&info.subgraph_types)
    }

    fn is_one<T: PartialEq + 'a>(
        &self,
        parent: &str,
        name: &str,
        what: impl Fn(&'a FieldInfo) -> &'a T,
    ) -> bool {
        let Some(info) = self.types.find(parent) else {
            return true;
        };
        let types = self.types;
        let possible = info.possible.iter();
        let mut found = possible.filter_map(|object| types.field(object, name).map(&what));
        let first = found.next();
        first.is_none_or(|first| found.all(|other| other == first))
    }
}

impl<'a> AliasedDuplicates<'a> {
    /// The number of a client's name among those of the same field: 0 for the first.
    pub(super) fn number(&mut self, response: &'a str, node: &Field) -> usize {
        let field = (node.name.clone(), arguments_text(node));
        let names = self.0.entry(field).or_default();
        if let Some(position) = names.iter().position(|name| *name == response) {
            return position;
        }
        names.push(response);
        names.len() - 1
    }
}

/// Arguments as text in an order of their own, since theirs has no meaning.
fn arguments_text(node: &Field) -> String {
    let arguments = node.arguments.iter();
    let mut texts: Vec<_> = arguments
        .map(|(name, value)| format!("{name}:{value}"))
        .collect();
    texts.sort_unstable();
    texts.join(",")
}
