//! What a document may ask of a subgraph, measured before the library validates it.
//!
//! The library expands fragments while it validates, so that 900 bytes of fragments that double took gigabytes. Here every
//! fragment is measured once. The bounds are far above what a router within its own limits sends: it refuses an operation of
//! more than 2,000 fields, and an answer of more than 10,000 objects.

use std::collections::HashMap;

use async_graphql::{
    Name, Request, Value,
    parser::types::{ExecutableDocument, FragmentDefinition, Selection, SelectionSet},
};
use schema::code::ErrorCode;

use crate::fault::Coded;

/// Bytes of the text.
const TEXT_MAX: usize = 256 * 1024;
/// Fields, fragments expanded.
const FIELDS_MAX: usize = 8_000;
/// Aliased fields, fragments expanded.
const ALIASES_MAX: usize = 2_000;
/// Elements of all lists in the variables: the representations of entities, the lines of an order.
const ELEMENTS_MAX: usize = 16_384;

/// A request asks for more than a router would.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} are {found}; a subgraph takes at most {max}")]
pub(super) struct Excess {
    what: &'static str,
    found: usize,
    max: usize,
}

impl Coded for Excess {
    fn code(&self) -> ErrorCode {
        ErrorCode::LimitExceeded
    }
}

fn within(what: &'static str, found: usize, max: usize) -> Result<(), Excess> {
    if found <= max {
        return Ok(());
    }
    Err(Excess { what, found, max })
}

/// Refuses a request that is over a bound. A text that does not parse is the library's to refuse.
///
/// # Errors
/// [`Excess`] names the bound.
pub(super) fn check(request: &mut Request) -> Result<(), Excess> {
    within("bytes of the text", request.query.len(), TEXT_MAX)?;
    let variables = request.variables.values().map(elements).sum();
    within("elements of lists in variables", variables, ELEMENTS_MAX)?;
    let Ok(document) = request.parsed_query() else {
        return Ok(());
    };
    let mut measurer = Measurer::of(document);
    let operations = document.operations.iter();
    let operations = operations.map(|(_, it)| &it.node.selection_set.node);
    // The library validates what is not run, too.
    let fragments = document
        .fragments
        .values()
        .map(|it| &it.node.selection_set.node);
    for set in operations.chain(fragments) {
        let found = measurer.set(set);
        within("fields", found.fields, FIELDS_MAX)?;
        within("aliases", found.aliases, ALIASES_MAX)?;
    }
    Ok(())
}

/// Elements of every list in a value; the library has bounded its nesting.
fn elements(value: &Value) -> usize {
    match value {
        Value::List(items) => items.len() + items.iter().map(elements).sum::<usize>(),
        Value::Object(members) => members.values().map(elements).sum(),
        _ => 0,
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Measure {
    fields: usize,
    aliases: usize,
}

impl Measure {
    fn add(&mut self, other: Self) {
        self.fields = self.fields.saturating_add(other.fields);
        self.aliases = self.aliases.saturating_add(other.aliases);
    }
}

/// Measures selection sets, each fragment once.
struct Measurer<'a> {
    fragments: HashMap<&'a Name, &'a FragmentDefinition>,
    /// `None` while a fragment is being measured: one in a circle counts as empty, and is the library's to refuse.
    known: HashMap<&'a Name, Option<Measure>>,
}

impl<'a> Measurer<'a> {
    fn of(document: &'a ExecutableDocument) -> Self {
        let fragments = document.fragments.iter();
        Self {
            fragments: fragments.map(|(name, it)| (name, &it.node)).collect(),
            known: HashMap::new(),
        }
    }

    fn set(&mut self, set: &'a SelectionSet) -> Measure {
        let mut sum = Measure::default();
        for item in &set.items {
            let found = match &item.node {
                Selection::Field(field) => {
                    let mut found = self.set(&field.node.selection_set.node);
                    found.add(Measure {
                        fields: 1,
                        aliases: usize::from(field.node.alias.is_some()),
                    });
                    found
                }
                Selection::InlineFragment(inline) => self.set(&inline.node.selection_set.node),
                Selection::FragmentSpread(spread) => self.fragment(&spread.node.fragment_name.node),
            };
            sum.add(found);
        }
        sum
    }

    fn fragment(&mut self, name: &'a Name) -> Measure {
        if let Some(known) = self.known.get(name) {
            return known.unwrap_or_default();
        }
        let Some(fragment) = self.fragments.get(name).copied() else {
            return Measure::default();
        };
        self.known.insert(name, None);
        let found = self.set(&fragment.selection_set.node);
        self.known.insert(name, Some(found));
        found
    }
}
