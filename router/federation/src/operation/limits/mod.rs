//! How big an operation may be. Each refusal names the limit, the value found and the setting that moves it.
//!
//! Measured on the text's own tree before anything is expanded, so that a small text which fragments blow up is
//! refused for the price of reading it. Cost is measured on the canonical shape, with the request's list sizes.

mod cost;
mod measure;
mod values;

use graphql_tools::static_graphql::query::{Definition, Document, SelectionSet};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::request::{Code, RequestError};
pub(crate) use cost::cost;
use measure::Measurer;
pub(crate) use values::check_values;

/// Upper bounds of one operation.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of the text.
    #[schemars(range(min = 1))]
    pub text_bytes: usize,
    /// Bytes of one text in the variables, as it is after decoding: a value, or the name of a member.
    #[schemars(range(min = 1))]
    pub value_bytes: usize,
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
    /// How many times over an operation may read the whole schema by introspection; 1 is what a tool asks that reads all of
    /// it once.
    #[schemars(range(min = 1))]
    pub introspection_schemas: u64,
    /// Objects that the answer may hold at most, by the sizes that the operation asks for.
    #[schemars(range(min = 1))]
    pub cost: u64,
    /// Objects that a response may really hold: more than `cost`, since that goes by assumed lengths.
    #[schemars(range(min = 1))]
    pub response_objects: u64,
    /// Bytes that a response may hold, and that subgraphs may send for it.
    #[schemars(range(min = 1))]
    pub response_bytes: u64,
    /// The assumed length of a list that has no size argument, and what a search or a filter of a page costs.
    #[schemars(range(min = 1))]
    pub list_size: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            text_bytes: 64 * 1024,
            value_bytes: 64 * 1024,
            tokens: 2_000,
            depth: 12,
            aliases: 30,
            directives: 20,
            root_fields: 20,
            fields: 2_000,
            introspection_schemas: 3,
            cost: 10_000,
            response_objects: 20_000,
            response_bytes: 8 * 1024 * 1024,
            list_size: 10,
        }
    }
}

/// `fields`, `interfaces` and the like in each other: more than this walks the schema in circles.
const MAX_INTROSPECTION_LISTS: usize = 3;

/// Refuses a text before anything is done with it.
///
/// # Errors
/// [`Code::LIMIT_EXCEEDED`] when it is longer than it may be.
pub(crate) fn check_text(limits: &Limits, text: &str) -> Result<(), RequestError> {
    within("text_bytes", text.len(), limits.text_bytes)
}

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

/// Refuses an operation whose response could get too large.
///
/// # Errors
/// [`Code::LIMIT_EXCEEDED`] when the cost is over its limit.
pub(crate) fn check_cost(limits: &Limits, cost: u64) -> Result<(), RequestError> {
    if cost <= limits.cost {
        return Ok(());
    }
    Err(exceeded("cost", cost, limits.cost))
}

/// Refuses an operation that reads the schema too many times over: `objects` of introspection, where telling all of the
/// schema once takes `schema`.
///
/// # Errors
/// [`Code::LIMIT_EXCEEDED`] when it is over the limit.
pub(crate) fn check_introspection(
    limits: &Limits,
    objects: u64,
    schema: u64,
) -> Result<(), RequestError> {
    let (times, max) = (
        objects.div_ceil(schema.max(1)),
        limits.introspection_schemas,
    );
    if times <= max {
        return Ok(());
    }
    Err(exceeded("introspection_schemas", times, max))
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

/// The refusal of a limit, by counts.
pub(crate) fn over(name: &str, found: usize, max: usize) -> RequestError {
    let wide = |count| u64::try_from(count).unwrap_or(u64::MAX);
    exceeded(name, wide(found), wide(max))
}

fn within(name: &str, found: usize, max: usize) -> Result<(), RequestError> {
    if found <= max {
        return Ok(());
    }
    Err(over(name, found, max))
}
