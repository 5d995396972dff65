//! How big an operation may be. Each refusal names the limit, the value found and the setting that moves it.
//!
//! Measured on the text's own tree before anything is expanded, so that a small text which fragments blow up is
//! refused for the price of reading it. Cost is measured on the canonical shape, with the request's list sizes.

use std::collections::{HashMap, HashSet};

use graphql_tools::static_graphql::query::{
    Definition, Document, FragmentDefinition, Selection, SelectionSet, Value,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::request::{Code, RequestError};
use crate::shape::{Shape, ShapeField};

/// Upper bounds of one operation.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Words and signs of the text.
    #[schemars(range(min = 1))]
    pub tokens: usize,
    /// Fields in fields; introspection is exempt, it has a bound of its own.
    #[schemars(range(min = 1))]
    pub depth: usize,
    /// Aliases, fragments expanded.
    pub aliases: usize,
    /// Directives, fragments expanded.
    pub directives: usize,
    /// Fields of the root, fragments expanded.
    #[schemars(range(min = 1))]
    pub root_fields: usize,
    /// Fields of the whole operation, fragments expanded.
    #[schemars(range(min = 1))]
    pub fields: usize,
    /// Objects that the answer may hold at most, by the sizes that the operation asks for.
    #[schemars(range(min = 1))]
    pub cost: u64,
    /// The assumed length of a list that has no size argument.
    #[schemars(range(min = 1))]
    pub list_size: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tokens: 2_000,
            depth: 12,
            aliases: 30,
            directives: 20,
            root_fields: 20,
            fields: 2_000,
            cost: 10_000,
            list_size: 10,
        }
    }
}

/// `fields`, `interfaces` and the like in each other: more than this walks the schema in circles.
const MAX_INTROSPECTION_LISTS: usize = 3;

/// Refuses an operation that is over a limit.
///
/// # Errors
/// [`Code::LIMIT_EXCEEDED`] for the first limit that is passed.
pub(crate) fn check(
    limits: &Limits,
    document: &Document,
    operation: &SelectionSet,
) -> Result<(), RequestError> {
    let mut measurer = Measurer::new(document);
    let found = measurer.set(operation);
    within("root_fields", found.width, limits.root_fields)?;
    within("depth", found.depth, limits.depth)?;
    within("aliases", found.aliases, limits.aliases)?;
    within("directives", found.directives, limits.directives)?;
    within("fields", found.fields, limits.fields)?;
    for definition in &document.definitions {
        // Validation looks at all of the text, so what is not run must not be huge either.
        let set = match definition {
            Definition::Operation(other) => other.selection_set(),
            Definition::Fragment(fragment) => &fragment.selection_set,
        };
        within("fields", measurer.set(set).fields, limits.fields)?;
    }
    if found.introspection_lists > MAX_INTROSPECTION_LISTS {
        let text = "introspection asks for lists of fields or types in each other more than 3 deep";
        return Err(RequestError::new(Code::LIMIT_EXCEEDED, text)
            .with("limit", "introspection_depth")
            .with("max", MAX_INTROSPECTION_LISTS));
    }
    Ok(())
}

/// Refuses an operation whose answer could get too big.
///
/// # Errors
/// [`Code::LIMIT_EXCEEDED`] when the cost is over its limit.
pub(crate) fn check_cost(limits: &Limits, cost: u64) -> Result<(), RequestError> {
    if cost <= limits.cost {
        return Ok(());
    }
    Err(exceeded("cost", cost, limits.cost))
}

/// Where the embedding process keeps [`EngineConfig`](crate::engine::EngineConfig) in its settings, for messages.
pub(crate) const SETTINGS: &str = "router.engine";

/// The refusal of a limit.
pub(crate) fn exceeded(name: &str, found: u64, max: u64) -> RequestError {
    let setting = format!("{SETTINGS}.limits.{name}");
    let words = name.replace('_', " ");
    let text = format!("{words} {found} is over the limit of {max} (setting {setting})");
    RequestError::new(Code::LIMIT_EXCEEDED, text)
        .with("limit", name)
        .with("value", found)
        .with("max", max)
        .with("setting", setting)
}

fn within(name: &str, found: usize, max: usize) -> Result<(), RequestError> {
    if found <= max {
        return Ok(());
    }
    let wide = |count| u64::try_from(count).unwrap_or(u64::MAX);
    Err(exceeded(name, wide(found), wide(max)))
}

/// What was found in a selection set, fragments expanded.
#[derive(Debug, Clone, Copy, Default)]
struct Measure {
    depth: usize,
    width: usize,
    fields: usize,
    aliases: usize,
    directives: usize,
    introspection_lists: usize,
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

struct Measurer<'a> {
    fragments: HashMap<&'a str, &'a FragmentDefinition>,
    known: HashMap<&'a str, Measure>,
    open: HashSet<&'a str>,
}

impl<'a> Measurer<'a> {
    fn new(document: &'a Document) -> Self {
        let fragments = document
            .definitions
            .iter()
            .filter_map(|definition| match definition {
                Definition::Fragment(fragment) => Some((fragment.name.as_str(), fragment)),
                Definition::Operation(_) => None,
            });
        Self {
            fragments: fragments.collect(),
            known: HashMap::new(),
            open: HashSet::new(),
        }
    }

    fn set(&mut self, set: &'a SelectionSet) -> Measure {
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

/// The objects that an answer may hold, by the sizes that the operation asks for.
///
/// A field with `first` or `last` gives its size to itself if it is a list, else to the lists directly below it,
/// as connections have it. A list without a size counts as `list_size` long.
pub(crate) fn cost(limits: &Limits, shape: &Shape, variables: &Map<String, Json>) -> u64 {
    of_shape(limits, shape, variables, None).max(1)
}

fn of_shape(
    limits: &Limits,
    shape: &Shape,
    variables: &Map<String, Json>,
    outer: Option<u64>,
) -> u64 {
    let of_case = |fields: &Vec<ShapeField>| {
        let costs = fields
            .iter()
            .map(|field| of_field(limits, field, variables, outer));
        costs.fold(0, u64::saturating_add)
    };
    shape
        .cases
        .iter()
        .map(|case| of_case(&case.fields))
        .max()
        .unwrap_or(0)
}

fn of_field(
    limits: &Limits,
    field: &ShapeField,
    variables: &Map<String, Json>,
    outer: Option<u64>,
) -> u64 {
    let Some(child) = &field.child else { return 0 };
    if field.name.starts_with("__") {
        return 0;
    }
    let size = size_argument(field, variables);
    if field.ty.is_list() {
        let length = size.or(outer).unwrap_or(limits.list_size);
        return of_shape(limits, child, variables, None)
            .saturating_add(1)
            .saturating_mul(length);
    }
    of_shape(limits, child, variables, size).saturating_add(1)
}

fn size_argument(field: &ShapeField, variables: &Map<String, Json>) -> Option<u64> {
    let is_size = |name: &str| name == "first" || name == "last";
    let (_, value) = field.arguments.iter().find(|(name, _)| is_size(name))?;
    let size = match value {
        Value::Int(number) => number.as_i64(),
        Value::Variable(name) => variables.get(name).and_then(Json::as_i64),
        _ => None,
    };
    size.map(|size| u64::try_from(size).unwrap_or(0))
}
