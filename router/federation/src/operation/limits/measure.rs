//! The size of an operation, measured on the text's own tree before anything is expanded.

use std::collections::{HashMap, HashSet};

use graphql_tools::static_graphql::query::{Document, FragmentDefinition, Selection, SelectionSet};

use crate::operation::definition::fragments;

/// What was found in a selection set, fragments expanded.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Measure {
    /// Fields in fields; introspection counts as nothing here.
    pub(super) depth: usize,
    /// Fields of the set itself.
    pub(super) width: usize,
    /// Fields with all that is below them.
    pub(super) fields: usize,
    /// Aliased fields.
    pub(super) aliases: usize,
    /// Directives of fields and fragments.
    pub(super) directives: usize,
    /// Introspection lists in each other.
    pub(super) introspection_lists: usize,
}

impl Measure {
    fn beside(&mut self, other: Self) {
        self.depth = self.depth.max(other.depth);
        self.width = self.width.saturating_add(other.width);
        self.fields = self.fields.saturating_add(other.fields);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.directives = self.directives.saturating_add(other.directives);
        self.introspection_lists = self.introspection_lists.max(other.introspection_lists);
    }
}

/// Measures the selection sets of one document.
pub(super) struct Measurer<'a> {
    fragments: HashMap<&'a str, &'a FragmentDefinition>,
    known: HashMap<&'a str, Measure>,
    open: HashSet<&'a str>,
}

impl<'a> Measurer<'a> {
    /// Looks up the fragments.
    pub(super) fn new(document: &'a Document) -> Self {
        Self {
            fragments: fragments(document),
            known: HashMap::new(),
            open: HashSet::new(),
        }
    }

    /// Measures one selection set.
    pub(super) fn set(&mut self, set: &'a SelectionSet) -> Measure {
        let mut sum = Measure::default();
        for item in &set.items {
            let found = match item {
                Selection::Field(field) => {
                    let mut found = self.set(&field.selection_set);
                    let introspects = field.name == "__schema" || field.name == "__type";
                    found.depth = if introspects {
                        0
                    } else {
                        found.depth.saturating_add(1)
                    };
                    found.width = 1;
                    found.fields = found.fields.saturating_add(1);
                    found.aliases = found
                        .aliases
                        .saturating_add(usize::from(field.alias.is_some()));
                    found.directives = found.directives.saturating_add(field.directives.len());
                    found.introspection_lists += usize::from(is_introspection_list(&field.name));
                    found
                }
                Selection::InlineFragment(inline) => {
                    let mut found = self.set(&inline.selection_set);
                    found.directives = found.directives.saturating_add(inline.directives.len());
                    found
                }
                Selection::FragmentSpread(spread) => {
                    let mut found = self.fragment(&spread.fragment_name);
                    found.directives = found.directives.saturating_add(spread.directives.len());
                    found
                }
            };
            sum.beside(found);
        }
        sum
    }

    /// A fragment is measured once; a cycle counts as empty here and is refused by validation.
    fn fragment(&mut self, name: &'a str) -> Measure {
        if let Some(known) = self.known.get(name) {
            return *known;
        }
        let Some(fragment) = self.fragments.get(name).copied() else {
            return Measure::default();
        };
        if !self.open.insert(name) {
            return Measure::default();
        }
        let found = self.set(&fragment.selection_set);
        self.open.remove(name);
        self.known.insert(name, found);
        found
    }
}

fn is_introspection_list(name: &str) -> bool {
    matches!(
        name,
        "fields" | "interfaces" | "possibleTypes" | "inputFields"
    )
}
