//! The two passes in front of the planner, done as one walk over the operation.
//!
//! 1. `@skip` and `@include` are decided here: no condition reaches the planner. Their values are part of the cache key.
//! 2. Response keys are the router's own: the field's name, or the name with a number when arguments or types tell
//!    fields of one name apart. A client's alias never reaches the planner, so it cannot stand where an entity's key
//!    is read from. The client's names come back when the response is written.
//!
//! Fields are collected for each object type that a selection can meet, as the specification's CollectFields does, and
//! what is planned is written from the collected shape: the plan and the response can never disagree about a key.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use graphql_tools::parser::Pos;
use graphql_tools::static_graphql::query::{
    Directive, Field, FragmentDefinition, Selection, SelectionSet, Value,
};
use indexmap::IndexMap;
use serde_json::{Map, Value as Json};

use crate::graph::{TypeKind, TypeRef, TypeTable};
use crate::operation::definition::{condition_type, fragments};
use crate::operation::document::Document;
use crate::operation::emit::{self, ToPlan};
use crate::operation::limits;
use crate::operation::response_keys::{AliasedDuplicates, ResponseKeys};
use crate::request::{Code, Location, OperationKind, RequestError};
use crate::shape::{Case, Keys, Leaf, Shape, ShapeField, quoted};

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
    let mut collector = Collector {
        types,
        fragments: fragments(&document.ast),
        conditions,
        keys: ResponseKeys::new(types),
        known: HashMap::new(),
        kind: document.kind,
        budget: max_fields,
        max_fields,
    };
    let root = types.root(document.kind).ok_or_else(internal)?.clone();
    let shape = collector.selection(&root, &[document.operation().selection_set()], true)?;
    let documents = emit::documents(types, collector.keys.keys(), document, &shape);
    Ok(Canonical {
        shape,
        keys: collector.keys.into_keys(),
        documents,
    })
}

fn internal() -> RequestError {
    RequestError::internal()
}

fn place(node: &&Field) -> Location {
    let Pos { line, column } = node.position;
    Location { line, column }
}

/// Fields of one object type by the client's name, in the order of the response.
type Collected<'a> = IndexMap<&'a str, Vec<&'a Field>>;

/// What two object types must have in common to share a case of a selection.
type Identity<'a> = Vec<(
    String,
    Vec<*const Field>,
    Arc<TypeRef>,
    Option<&'a [String]>,
)>;

/// The objects that one selection may meet, each with what is asked of it.
struct Asked<'a> {
    parent: Arc<str>,
    objects: Vec<(Arc<str>, Collected<'a>)>,
}

struct Collector<'a> {
    types: &'a TypeTable,
    fragments: HashMap<&'a str, &'a FragmentDefinition>,
    conditions: &'a Map<String, Json>,
    keys: ResponseKeys<'a>,
    /// Shapes of selections that ask the same of the same type.
    known: HashMap<(Arc<str>, Vec<*const Field>), Arc<Shape>>,
    kind: OperationKind,
    budget: usize,
    max_fields: usize,
}

impl<'a> Collector<'a> {
    fn selection(
        &mut self,
        parent: &Arc<str>,
        sets: &[&'a SelectionSet],
        is_root: bool,
    ) -> Result<Arc<Shape>, RequestError> {
        let info = self.types.find(parent).ok_or_else(internal)?;
        let has_hidden = info.has_hidden;
        let mut possible = info.possible.clone();
        if possible.is_empty() && info.kind == TypeKind::Interface {
            // An interface that no object implements: where a subgraph has it as an object, it is one.
            possible = Arc::from([parent.clone()]);
        }
        let mut asked = Asked {
            parent: parent.clone(),
            objects: Vec::with_capacity(possible.len()),
        };
        for object in possible.iter() {
            let mut collected = Collected::new();
            let mut visited = HashSet::new();
            for set in sets {
                self.collect(object, set, &mut visited, &mut collected)?;
            }
            asked.objects.push((object.clone(), collected));
        }
        let mut cases: Vec<(Identity<'a>, Case)> = Vec::new();
        let mut duplicates = AliasedDuplicates::default();
        for (object, collected) in &asked.objects {
            let identity = self.identity(&asked, object, collected)?;
            if let Some((_, case)) = cases.iter_mut().find(|(known, _)| *known == identity) {
                case.types.push(object.clone());
                continue;
            }
            let fields = self.fields(&asked, object, collected, is_root, &mut duplicates)?;
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
            has_hidden,
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
                    let condition = inline.type_condition.as_ref().map(condition_type);
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
                        .satisfies(object, condition_type(&fragment.type_condition))
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

    fn identity(
        &self,
        asked: &Asked<'a>,
        object: &str,
        fields: &Collected<'a>,
    ) -> Result<Identity<'a>, RequestError> {
        let part = |(name, nodes): (&&str, &Vec<&'a Field>)| {
            let pointers = nodes.iter().map(|node| std::ptr::from_ref(*node)).collect();
            Ok((
                (*name).to_owned(),
                pointers,
                self.field_type(object, &nodes[0].name)?,
                self.subgraph_types(asked, object, nodes),
            ))
        };
        fields.iter().map(part).collect()
    }

    /// The types of a field in subgraphs, where those of several objects stand beside each other: an interface that has the
    /// field is asked for it once when all of its objects are.
    fn subgraph_types(
        &self,
        asked: &Asked<'a>,
        object: &str,
        nodes: &[&'a Field],
    ) -> Option<&'a [String]> {
        let node = nodes[0];
        let types = self
            .keys
            .subgraph_types(&asked.parent, object, &node.name)?;
        let is_leaf = node.selection_set.items.is_empty();
        let is_among = |one: &&Field| nodes.iter().any(|node| std::ptr::eq(*one, *node));
        let is_same = |other: &Vec<&Field>| {
            if is_leaf {
                other.iter().any(is_among)
            } else {
                other.len() == nodes.len() && other.iter().all(is_among)
            }
        };
        let has = |(_, fields): &(Arc<str>, Collected<'a>)| fields.values().any(is_same);
        let is_asked_once =
            self.types.field(&asked.parent, &node.name).is_some() && asked.objects.iter().all(has);
        (!is_asked_once).then_some(types)
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
        asked: &Asked<'a>,
        object: &str,
        collected: &Collected<'a>,
        is_root: bool,
        duplicates: &mut AliasedDuplicates<'a>,
    ) -> Result<Vec<ShapeField>, RequestError> {
        let mut fields = Vec::with_capacity(collected.len());
        for (response, nodes) in collected {
            self.spend()?;
            let node = nodes[0];
            let ty = self.field_type(object, &node.name)?;
            let child = self.child(ty.name(), nodes)?;
            let has_effect = is_root && self.kind == OperationKind::Mutation;
            let duplicate = if child.is_some() || has_effect {
                duplicates.number(response, node)
            } else {
                0
            };
            let subgraph_types = self.subgraph_types(asked, object, nodes);
            let key = self
                .keys
                .key(&asked.parent, node, &ty, subgraph_types, duplicate);
            fields.push(ShapeField {
                response: Arc::from(*response),
                quoted: quoted(response),
                key,
                name: Arc::from(node.name.as_str()),
                places: nodes.iter().take(Location::MOST).map(place).collect(),
                arguments: node.arguments.clone(),
                leaf: self.types.find(ty.name()).map_or(Leaf::Any, Leaf::of),
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
        let is_composite = self
            .types
            .find(ty)
            .is_some_and(|info| info.kind.is_composite());
        if !is_composite {
            return Ok(None);
        }
        let pointers: Vec<_> = nodes.iter().map(|node| std::ptr::from_ref(*node)).collect();
        let selection = (ty.clone(), pointers);
        if let Some(known) = self.known.get(&selection) {
            return Ok(Some(known.clone()));
        }
        let sets: Vec<_> = nodes.iter().map(|node| &node.selection_set).collect();
        let shape = self.selection(ty, &sets, false)?;
        self.known.insert(selection, shape.clone());
        Ok(Some(shape))
    }
}
