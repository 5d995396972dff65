//! The two passes in front of the planner, done as one walk over the operation.
//!
//! 1. `@skip` and `@include` are decided here: no condition reaches the planner. Their values are part of the cache key.
//! 2. Response keys are the router's own: the field's name, or the name with a number when arguments or types tell
//!    fields of one name apart. A client's alias never reaches the planner, so it cannot stand where an entity's key
//!    is read from. The client's names come back when the answer is written.
//!
//! Fields are collected for each object type a place can have, as the specification's CollectFields does, and what
//! is planned is written from the collected shape: the planner and the answer can never disagree about a key.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use graphql_tools::static_graphql::query::{
    Definition, Directive, Field, FragmentDefinition, Selection, SelectionSet, TypeCondition, Value,
};
use indexmap::IndexMap;
use serde_json::{Map, Value as Json};

use crate::graph::{Kind, TypeRef, TypeTable};
use crate::operation::document::Document;
use crate::operation::emit::{self, ToPlan};
use crate::operation::limits;
use crate::request::{Code, OperationKind, RequestError};
use crate::shape::{Case, Key, Keys, Shape, ShapeField, quoted};

/// A canonical operation.
#[derive(Debug)]
pub(crate) struct Canonical {
    /// What the client asked for.
    pub(crate) shape: Arc<Shape>,
    /// Its response keys.
    pub(crate) keys: Keys,
    /// What is to be planned, in order: of a mutation a document per root field, else at most one.
    pub(crate) documents: Vec<ToPlan>,
}

/// Rewrites an operation for the given values of its conditions.
///
/// # Errors
/// A condition that has no Boolean value, or more fields than `max_fields`.
pub(crate) fn rewrite(
    types: &TypeTable,
    document: &Document,
    conditions: &Map<String, Json>,
    max_fields: usize,
) -> Result<Canonical, RequestError> {
    let fragments = document
        .ast
        .definitions
        .iter()
        .filter_map(|definition| match definition {
            Definition::Fragment(fragment) => Some((fragment.name.as_str(), fragment)),
            Definition::Operation(_) => None,
        });
    let mut collector = Collector {
        types,
        fragments: fragments.collect(),
        conditions,
        keys: Keys::default(),
        named: HashMap::new(),
        known: HashMap::new(),
        kind: document.kind,
        budget: max_fields,
        max_fields,
    };
    let root = types.root(document.kind).ok_or_else(internal)?.clone();
    let shape = collector.place(&root, &[document.operation().selection_set()], true)?;
    let documents = emit::documents(types, &collector.keys, document, &shape);
    Ok(Canonical {
        shape,
        keys: collector.keys,
        documents,
    })
}

fn internal() -> RequestError {
    RequestError::internal()
}

/// Fields of one object type by the client's name, in the order of the answer.
type Collected<'a> = IndexMap<&'a str, Vec<&'a Field>>;

/// What tells two object types' answers at one place apart.
type Identity = Vec<(String, Vec<*const Field>, Arc<TypeRef>)>;

struct Collector<'a> {
    types: &'a TypeTable,
    fragments: HashMap<&'a str, &'a FragmentDefinition>,
    conditions: &'a Map<String, Json>,
    keys: Keys,
    /// Name, arguments, type and (for mutations) response name to internal key.
    named: HashMap<(String, String), Key>,
    /// Shapes of places that ask the same of the same type.
    known: HashMap<(Arc<str>, Vec<*const Field>), Arc<Shape>>,
    kind: OperationKind,
    budget: usize,
    max_fields: usize,
}

impl<'a> Collector<'a> {
    fn place(
        &mut self,
        parent: &Arc<str>,
        sets: &[&'a SelectionSet],
        is_root: bool,
    ) -> Result<Arc<Shape>, RequestError> {
        let possible = self
            .types
            .find(parent)
            .ok_or_else(internal)?
            .possible
            .clone();
        let mut cases: Vec<(Identity, Case)> = Vec::new();
        let mut twins = Twins::new();
        for object in possible.iter() {
            let mut collected = Collected::new();
            let mut visited = HashSet::new();
            for set in sets {
                self.collect(object, set, &mut visited, &mut collected)?;
            }
            let identity = self.identity(object, &collected)?;
            if let Some((_, case)) = cases.iter_mut().find(|(known, _)| *known == identity) {
                case.types.push(object.clone());
                continue;
            }
            let fields = self.fields(parent, object, &collected, is_root, &mut twins)?;
            cases.push((
                identity,
                Case {
                    types: vec![object.clone()],
                    fields,
                },
            ));
        }
        let cases = cases.into_iter().map(|(_, case)| case).collect();
        Ok(Arc::new(Shape {
            parent: parent.clone(),
            cases,
        }))
    }

    fn collect(
        &mut self,
        object: &str,
        set: &'a SelectionSet,
        visited: &mut HashSet<&'a str>,
        into: &mut Collected<'a>,
    ) -> Result<(), RequestError> {
        for item in &set.items {
            match item {
                Selection::Field(field) => {
                    if self.is_wanted(&field.directives)? {
                        let name = field.alias.as_ref().unwrap_or(&field.name);
                        into.entry(name).or_default().push(field);
                    }
                }
                Selection::InlineFragment(inline) => {
                    let condition = inline.type_condition.as_ref().map(name_of);
                    let fits = condition.is_none_or(|name| self.types.satisfies(object, name));
                    if fits && self.is_wanted(&inline.directives)? {
                        self.collect(object, &inline.selection_set, visited, into)?;
                    }
                }
                Selection::FragmentSpread(spread) => {
                    let name = spread.fragment_name.as_str();
                    if !self.is_wanted(&spread.directives)? || !visited.insert(name) {
                        continue;
                    }
                    let fragment = *self.fragments.get(name).ok_or_else(internal)?;
                    if self
                        .types
                        .satisfies(object, name_of(&fragment.type_condition))
                    {
                        self.collect(object, &fragment.selection_set, visited, into)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn is_wanted(&self, directives: &[Directive]) -> Result<bool, RequestError> {
        for directive in directives {
            let wanted = match directive.name.as_str() {
                "skip" => false,
                "include" => true,
                _ => continue,
            };
            let value = directive.arguments.iter().find(|(name, _)| name == "if");
            let value = match value.map(|(_, value)| value) {
                Some(Value::Boolean(value)) => Some(*value),
                Some(Value::Variable(name)) => self.conditions.get(name).and_then(Json::as_bool),
                _ => None,
            };
            let Some(value) = value else {
                let text = format!("the condition of @{} is not a Boolean", directive.name);
                return Err(RequestError::new(Code::BAD_VARIABLES, text));
            };
            if value != wanted {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn identity(&self, object: &str, fields: &Collected<'a>) -> Result<Identity, RequestError> {
        let part = |(name, nodes): (&&str, &Vec<&'a Field>)| {
            let pointers = nodes.iter().map(|node| std::ptr::from_ref(*node)).collect();
            Ok((
                (*name).to_owned(),
                pointers,
                self.field_type(object, &nodes[0].name)?,
            ))
        };
        fields.iter().map(part).collect()
    }

    fn field_type(&self, object: &str, field: &str) -> Result<Arc<TypeRef>, RequestError> {
        if field == "__typename" {
            let string = TypeRef::Named(Arc::from("String"));
            return Ok(Arc::new(TypeRef::NonNull(Box::new(string))));
        }
        let info = self.types.field(object, field).ok_or_else(internal)?;
        Ok(info.ty.clone())
    }

    fn fields(
        &mut self,
        parent: &Arc<str>,
        object: &str,
        collected: &Collected<'a>,
        is_root: bool,
        twins: &mut Twins<'a>,
    ) -> Result<Vec<ShapeField>, RequestError> {
        let mut fields = Vec::with_capacity(collected.len());
        for (response, nodes) in collected {
            self.spend()?;
            let node = nodes[0];
            let ty = self.field_type(object, &node.name)?;
            let child = self.child(ty.name(), nodes)?;
            let happens = is_root && self.kind == OperationKind::Mutation;
            let twin = if child.is_some() || happens {
                twin(twins, response, node)
            } else {
                0
            };
            let key = self.key(parent, node, &ty, twin);
            fields.push(ShapeField {
                response: Arc::from(*response),
                quoted: quoted(response),
                key,
                name: Arc::from(node.name.as_str()),
                arguments: node.arguments.clone(),
                ty,
                child,
            });
        }
        Ok(fields)
    }

    fn spend(&mut self) -> Result<(), RequestError> {
        let Some(left) = self.budget.checked_sub(1) else {
            let max = u64::try_from(self.max_fields).unwrap_or(u64::MAX);
            return Err(limits::exceeded("fields", max.saturating_add(1), max));
        };
        self.budget = left;
        Ok(())
    }

    fn child(
        &mut self,
        ty: &Arc<str>,
        nodes: &[&'a Field],
    ) -> Result<Option<Arc<Shape>>, RequestError> {
        let composite = self
            .types
            .find(ty)
            .is_some_and(|info| matches!(info.kind, Kind::Object | Kind::Interface | Kind::Union));
        if !composite {
            return Ok(None);
        }
        let pointers: Vec<_> = nodes.iter().map(|node| std::ptr::from_ref(*node)).collect();
        let place = (ty.clone(), pointers);
        if let Some(known) = self.known.get(&place) {
            return Ok(Some(known.clone()));
        }
        let sets: Vec<_> = nodes.iter().map(|node| &node.selection_set).collect();
        let shape = self.place(ty, &sets, false)?;
        self.known.insert(place, shape.clone());
        Ok(Some(shape))
    }

    /// The internal key of a field: its name if that is enough to know it by.
    ///
    /// `twin` counts the fields of one place that differ in nothing but the client's name.
    fn key(&mut self, parent: &str, node: &Field, ty: &TypeRef, twin: usize) -> Key {
        let name = node.name.as_str();
        if name == "__typename" {
            return Key::TYPENAME;
        }
        let mut tells = String::new();
        tells.push_str(&arguments_text(node));
        if !self.has_one_type(parent, name) {
            tells.push_str(" as ");
            tells.push_str(&ty.to_string());
        }
        if twin > 0 {
            tells.push_str(" again ");
            tells.push_str(&twin.to_string());
        }
        if tells.is_empty() {
            return self.keys.intern(name);
        }
        let known = (name.to_owned(), tells);
        if let Some(key) = self.named.get(&known) {
            return *key;
        }
        let numbered = (1..).map(|number| format!("{name}_{number}"));
        let mut free = numbered
            .filter(|text| !self.types.is_field_name(text) && self.keys.find(text).is_none());
        let text = free.next().expect("there are endlessly many numbers");
        let key = self.keys.intern(&text);
        self.named.insert(known, key);
        key
    }

    /// Whether all object types of a place give a field of this name the same type.
    fn has_one_type(&self, parent: &str, name: &str) -> bool {
        let Some(info) = self.types.find(parent) else {
            return true;
        };
        let mut found = info
            .possible
            .iter()
            .filter_map(|object| self.types.field(object, name));
        let Some(first) = found.next() else {
            return true;
        };
        found.all(|other| other.ty == first.ty)
    }
}

/// The client's names of each field of a place, by the field's name and arguments.
///
/// Leaves under two names are one leaf. An object under two names stays two: a null that goes up in one must not
/// take the other with it. A mutation's root field happens once for each name.
type Twins<'a> = HashMap<(String, String), Vec<&'a str>>;

fn twin<'a>(twins: &mut Twins<'a>, response: &'a str, node: &Field) -> usize {
    let field = (node.name.clone(), arguments_text(node));
    let names = twins.entry(field).or_default();
    if let Some(position) = names.iter().position(|name| *name == response) {
        return position;
    }
    names.push(response);
    names.len() - 1
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

fn name_of(condition: &TypeCondition) -> &str {
    let TypeCondition::On(name) = condition;
    name
}
