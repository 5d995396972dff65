//! Whether fields of one response name can be one field of the response: the rule Field Selection Merging.
//!
//! Instead of comparing every pair of fields, fields are merged first: those of one response name form a group, each is
//! compared with the group's first alone, and what is below them is one set that is looked at once. That is enough,
//! because "the same name and arguments" and "types of the same form" are equivalences. The work is linear in the fields
//! of the expanded operation, except where abstract types make fields meet in several groups; a budget bounds that.
//!
//! Expects a document that passed the other rules: fields exist, fragments are known and form no circle.
//! Source: GraphQL specification, 5.3.2 Field Selection Merging; the algorithm is that of Simon Adameit (XING), which
//! Sangria and graphql-java use too.

use std::collections::{HashMap, HashSet};

use graphql_tools::static_graphql::query::{
    Definition, Document, Field, FragmentDefinition, Selection, SelectionSet, Value,
};
use indexmap::IndexMap;

use crate::graph::{TypeKind, TypeRef, TypeTable};
use crate::operation::definition::{condition_type, fragments, kind};
use crate::request::{Code, GraphqlError};

/// What looking at a document came to.
#[derive(Debug)]
pub(crate) struct Found {
    /// One error for each group of fields that cannot be one, up to a bound.
    pub(crate) conflicts: Vec<GraphqlError>,
    /// How many fields were looked at, each as often as it was.
    pub(crate) steps: usize,
    /// Whether the budget ended first, so that the verdict is not known.
    pub(crate) is_over_budget: bool,
}

/// More conflicts than this tell nothing new.
const MAX_CONFLICTS: usize = 20;

/// Looks for fields that cannot be merged, in at most about `budget` steps.
pub(crate) fn find(types: &TypeTable, document: &Document, budget: usize) -> Found {
    let mut search = Search {
        types,
        fragments: fragments(document),
        seen: HashSet::new(),
        todo: Vec::new(),
        conflicts: Vec::new(),
        steps: 0,
        budget,
    };
    // What a fragment holds is looked at where it is spread, and one that nobody spreads is refused by another rule.
    for definition in &document.definitions {
        if let Definition::Operation(operation) = definition
            && let Some(root) = types.root(kind(operation))
        {
            let sets = vec![(&**root, operation.selection_set())];
            search.todo.push((Question::Form, sets.clone()));
            search.todo.push((Question::Identity, sets));
        }
    }
    search.run();
    Found {
        conflicts: search.conflicts,
        steps: search.steps,
        is_over_budget: search.steps > budget,
    }
}

/// What must hold for the fields of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Question {
    /// Values of the same form, whatever the object's type turns out to be.
    Form,
    /// The same field with the same arguments, if an object can have both.
    Identity,
}

/// Selection sets with the static type that each is asked of, to be looked at as one.
type Sets<'a> = Vec<(&'a str, &'a SelectionSet)>;

/// A field of merged sets.
#[derive(Clone, Copy)]
struct Entry<'a> {
    parent: &'a str,
    is_of_object: bool,
    node: &'a Field,
    /// `None` for `__typename`.
    ty: Option<&'a TypeRef>,
}

struct Search<'a> {
    types: &'a TypeTable,
    fragments: HashMap<&'a str, &'a FragmentDefinition>,
    /// Groups whose sub-selections were looked at: a field's static parent follows from its place, so its address says
    /// all of it.
    seen: HashSet<(Question, Vec<*const Field>)>,
    todo: Vec<(Question, Sets<'a>)>,
    conflicts: Vec<GraphqlError>,
    steps: usize,
    budget: usize,
}

impl<'a> Search<'a> {
    fn run(&mut self) {
        while let Some((question, sets)) = self.todo.pop() {
            let mut groups = IndexMap::new();
            let mut spread = HashSet::new();
            for (parent, set) in sets {
                self.collect(parent, set, &mut spread, &mut groups);
            }
            for entries in groups.values() {
                match question {
                    Question::Form => self.form(entries),
                    Question::Identity => self.identity(entries),
                }
            }
            if self.steps > self.budget || self.conflicts.len() >= MAX_CONFLICTS {
                return;
            }
        }
    }

    /// Adds the fields of a set by their response names, fragments expanded.
    fn collect(
        &mut self,
        parent: &'a str,
        set: &'a SelectionSet,
        spread: &mut HashSet<&'a str>,
        groups: &mut IndexMap<&'a str, Vec<Entry<'a>>>,
    ) {
        for item in &set.items {
            self.steps += 1;
            match item {
                Selection::Field(node) => {
                    let name = node.alias.as_ref().unwrap_or(&node.name);
                    let entry = self.entry(parent, node);
                    groups.entry(name).or_default().push(entry);
                }
                Selection::InlineFragment(inline) => {
                    let condition = inline.type_condition.as_ref().map(condition_type);
                    let parent = condition.unwrap_or(parent);
                    self.collect(parent, &inline.selection_set, spread, groups);
                }
                Selection::FragmentSpread(found) => {
                    let name = found.fragment_name.as_str();
                    if let Some(fragment) = self.fragments.get(name).copied()
                        && spread.insert(name)
                    {
                        let parent = condition_type(&fragment.type_condition);
                        self.collect(parent, &fragment.selection_set, spread, groups);
                    }
                }
            }
        }
    }

    fn entry(&self, parent: &'a str, node: &'a Field) -> Entry<'a> {
        let info = self.types.find(parent);
        let field = info.and_then(|info| info.fields.get(node.name.as_str()));
        Entry {
            parent,
            is_of_object: info.is_some_and(|info| info.kind == TypeKind::Object),
            node,
            ty: field.map(|field| &*field.ty),
        }
    }

    /// `__typename` is not compared: graphql-js, by which clients go, leaves it out here.
    fn form(&mut self, entries: &[Entry<'a>]) {
        let mut typed = entries.iter().filter_map(|entry| Some((entry, entry.ty?)));
        if let Some((first, ty)) = typed.next()
            && let Some((other, other_ty)) = typed.find(|(_, other)| !self.is_one_form(ty, other))
        {
            let why = format!("they return conflicting types \"{ty}\" and \"{other_ty}\"");
            self.conflict(first, other, &why);
            return;
        }
        self.go_below(Question::Form, entries.iter());
    }

    fn is_one_form(&self, one: &TypeRef, two: &TypeRef) -> bool {
        match (one, two) {
            (TypeRef::NonNull(one), TypeRef::NonNull(two))
            | (TypeRef::List(one), TypeRef::List(two)) => self.is_one_form(one, two),
            (TypeRef::Named(one), TypeRef::Named(two)) => {
                let is_composite = |name| {
                    let info = self.types.find(name);
                    info.is_some_and(|info| info.kind.is_composite())
                };
                one == two || (is_composite(one) && is_composite(two))
            }
            _ => false,
        }
    }

    /// An object has the fields of its own type and those of abstract types; fields of two object types never meet.
    fn identity(&mut self, entries: &[Entry<'a>]) {
        let mut of_objects: IndexMap<&str, Vec<Entry<'a>>> = IndexMap::new();
        let mut of_abstract = Vec::new();
        for entry in entries {
            if entry.is_of_object {
                of_objects.entry(entry.parent).or_default().push(*entry);
            } else {
                of_abstract.push(*entry);
            }
        }
        if of_objects.is_empty() {
            return self.one_field(&of_abstract);
        }
        for mut group in of_objects.into_values() {
            self.steps += of_abstract.len();
            group.extend_from_slice(&of_abstract);
            self.one_field(&group);
        }
    }

    fn one_field(&mut self, entries: &[Entry<'a>]) {
        let Some((first, others)) = entries.split_first() else {
            return;
        };
        for other in others {
            self.steps += 1;
            if first.node.name != other.node.name {
                let (one, two) = (&first.node.name, &other.node.name);
                let why = format!("\"{one}\" and \"{two}\" are different fields");
                return self.conflict(first, other, &why);
            }
            if !same_arguments(&first.node.arguments, &other.node.arguments) {
                return self.conflict(first, other, "they have differing arguments");
            }
        }
        self.go_below(Question::Identity, entries.iter());
    }

    /// What is below all fields of a group is one set.
    fn go_below<'e>(&mut self, question: Question, entries: impl Iterator<Item = &'e Entry<'a>>)
    where
        'a: 'e,
    {
        let with_more = entries.filter(|entry| !entry.node.selection_set.items.is_empty());
        let mut sets = Sets::new();
        let mut nodes = Vec::new();
        for entry in with_more {
            if let Some(ty) = entry.ty {
                sets.push((&**ty.name(), &entry.node.selection_set));
                nodes.push(std::ptr::from_ref(entry.node));
            }
        }
        nodes.sort_unstable();
        if !sets.is_empty() && self.seen.insert((question, nodes)) {
            self.todo.push((question, sets));
        }
    }

    fn conflict(&mut self, one: &Entry<'a>, two: &Entry<'a>, why: &str) {
        let name = one.node.alias.as_ref().unwrap_or(&one.node.name);
        let text = format!(
            "Fields \"{name}\" conflict because {why}. Use different aliases on the fields to fetch both if this was intentional."
        );
        let error = GraphqlError::new(Code::GRAPHQL_VALIDATION_FAILED, text);
        let (first, second) = (one.node.position, two.node.position);
        let error = error.at(first.line, first.column);
        self.conflicts.push(error.at(second.line, second.column));
    }
}

/// Whether arguments say the same, in whatever order.
fn same_arguments(one: &[(String, Value)], two: &[(String, Value)]) -> bool {
    one.len() == two.len()
        && one.iter().all(|(name, value)| {
            let other = two.iter().find(|(other, _)| other == name);
            other.is_some_and(|(_, other)| same_value(value, other))
        })
}

/// Whether literals say the same; the fields of an object have no order.
fn same_value(one: &Value, two: &Value) -> bool {
    match (one, two) {
        (Value::List(one), Value::List(two)) => {
            one.len() == two.len() && one.iter().zip(two).all(|(one, two)| same_value(one, two))
        }
        (Value::Object(one), Value::Object(two)) => same_fields(one, two),
        _ => one == two,
    }
}

fn same_fields(one: &[(String, Value)], two: &[(String, Value)]) -> bool {
    fn by_name(fields: &[(String, Value)]) -> Vec<&(String, Value)> {
        let mut fields: Vec<_> = fields.iter().collect();
        fields.sort_by(|one, two| one.0.cmp(&two.0));
        fields
    }
    one.len() == two.len()
        && by_name(one)
            .into_iter()
            .zip(by_name(two))
            .all(|(one, two)| one.0 == two.0 && same_value(&one.1, &two.1))
}

#[cfg(test)]
#[path = "overlap_tests.rs"]
mod tests;
