//! "Did you mean …?" behind the sentence of a name that the schema does not have, as graphql-js says it.
//!
//! For whom the schema is closed nothing is added: a suggestion tells a name of it. The sentences are those of the library's
//! rules and of [`super::literals`], told apart by how they begin.
//! Source: graphql-js, `suggestionList` and `didYouMean`.

use std::fmt::Write as _;

use crate::graph::{TypeInfo, TypeKind, TypeTable};
use crate::request::{Code, RequestError};

/// Errors of one request that get a suggestion; those behind them tell nothing new.
const MAX_ERRORS: usize = 5;
/// Names of the schema that one name is compared with.
const MAX_NAMES: usize = 2_000;
/// A longer name is no slip of the finger.
const MAX_LENGTH: usize = 80;
/// As many as graphql-js names.
const MAX_SUGGESTED: usize = 5;

/// Adds what may have been meant to the first errors of a document.
pub(crate) fn add(types: &TypeTable, error: RequestError) -> RequestError {
    let mut left = MAX_ERRORS;
    error.map_messages(|code, message| {
        if code != Code::GRAPHQL_VALIDATION_FAILED || left == 0 {
            return None;
        }
        let hint = hint(types, message)?;
        left -= 1;
        Some(format!("{message}{hint}"))
    })
}

fn hint(types: &TypeTable, message: &str) -> Option<String> {
    let quoted: Vec<&str> = message.split('"').skip(1).step_by(2).collect();
    let (wrong, owner) = (*quoted.first()?, quoted.get(1).copied().unwrap_or_default());
    if message.starts_with("Cannot query field ") {
        let info = types.find(owner)?;
        return on_a_possible_type(types, info, wrong)
            .or_else(|| did_you_mean("", wrong, info.fields.keys().map(|name| &**name)));
    }
    if message.starts_with("Unknown argument ") {
        let known = match (owner.strip_prefix('@'), owner.split_once('.')) {
            (Some(directive), _) => types.directive(directive),
            (None, Some((ty, field))) => types.field(ty, field)?.arguments.as_slice(),
            (None, None) => return None,
        };
        return did_you_mean("", wrong, known.iter().map(|it| &*it.name));
    }
    if message.starts_with("Unknown type ") {
        return did_you_mean("", wrong, types.names());
    }
    if message.starts_with("Unknown directive ") {
        let wrong = wrong.strip_prefix('@')?;
        return did_you_mean("@", wrong, types.directive_names());
    }
    if message.starts_with("Field ") && message.contains("is not defined by type") {
        let inputs = &types.find(owner)?.inputs;
        return did_you_mean("", wrong, inputs.iter().map(|it| &*it.name));
    }
    if message.starts_with("Expected value of type ") {
        let info = types.find(wrong.trim_end_matches('!'))?;
        let (_, found) = message.split_once(", found ")?;
        let found = found.trim_end_matches('.').trim_matches('"');
        let is_enum = info.kind == TypeKind::Enum;
        return is_enum.then(|| did_you_mean("", found, info.values.iter().map(|name| &**name)))?;
    }
    None
}

/// Where the field belongs to a type that implements this one.
fn on_a_possible_type(types: &TypeTable, info: &TypeInfo, field: &str) -> Option<String> {
    if !matches!(info.kind, TypeKind::Interface | TypeKind::Union) {
        return None;
    }
    let possible = info.possible.iter().take(MAX_NAMES);
    let having = possible.filter(|name| types.field(name, field).is_some());
    let having: Vec<&str> = having.take(MAX_SUGGESTED).map(|name| &**name).collect();
    (!having.is_empty()).then(|| {
        format!(
            " Did you mean to use an inline fragment on {}?",
            listed("", &having)
        )
    })
}

fn did_you_mean<'a>(
    mark: &str,
    wrong: &str,
    known: impl Iterator<Item = &'a str>,
) -> Option<String> {
    let near = nearest(wrong, known.take(MAX_NAMES));
    (!near.is_empty()).then(|| format!(" Did you mean {}?", listed(mark, &near)))
}

/// The known names that differ in few letters, the nearest first.
fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    if wrong.is_empty() || wrong.len() > MAX_LENGTH {
        return Vec::new();
    }
    // 0.4 of its length and one more.
    let threshold = wrong.len() * 2 / 5 + 1;
    let lower = wrong.to_lowercase();
    let mut near: Vec<(usize, &str)> = known
        .filter(|name| name.len().abs_diff(wrong.len()) <= threshold)
        .filter_map(|name| {
            let distance = match name.to_lowercase() {
                other if other == lower => 1,
                other => strsim::osa_distance(&lower, &other),
            };
            (distance <= threshold).then_some((distance, name))
        })
        .collect();
    near.sort_unstable();
    near.truncate(MAX_SUGGESTED);
    near.into_iter().map(|(_, name)| name).collect()
}

/// `"a"`, `"a" or "b"`, `"a", "b", or "c"`.
fn listed(mark: &str, names: &[&str]) -> String {
    let mut text = String::new();
    for (at, name) in names.iter().enumerate() {
        let is_last = at + 1 == names.len();
        let before = match (at, is_last) {
            (0, _) => "",
            (1, true) => " or ",
            (_, true) => ", or ",
            (_, false) => ", ",
        };
        write!(text, "{before}\"{mark}{name}\"").expect("writing to a string cannot fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use graphql_tools::parser::parse_schema;

    use super::*;

    const SCHEMA: &str = "
        type Query { user(id: ID, nickname: String): User kind(kind: Kind, in: In): Kind shape: Shape }
        type User { id: ID name: String nickname: String }
        interface Shape { area: Int } type Circle implements Shape { area: Int radius: Int }
        directive @include(if: Boolean!) on FIELD
        enum Kind { BOOK FILM } input In { count: Int }
        scalar String scalar Int scalar Boolean scalar ID";

    fn hinted(message: &str) -> String {
        let schema = parse_schema::<String>(SCHEMA).unwrap().into_static();
        let types = TypeTable::new(&schema, &schema);
        let error = RequestError::new(Code::GRAPHQL_VALIDATION_FAILED, message);
        let said = add(&types, error).errors()[0].message.clone();
        said.strip_prefix(message).expect("it begins so").to_owned()
    }

    /// The words behind each sentence are those of graphql-js.
    #[test]
    fn a_name_that_is_nearly_right_gets_a_suggestion() {
        for (message, hint) in [
            (
                "Cannot query field \"idd\" on type \"User\".",
                " Did you mean \"id\"?",
            ),
            (
                "Cannot query field \"nicname\" on type \"User\".",
                " Did you mean \"nickname\" or \"name\"?",
            ),
            ("Cannot query field \"zzzzzz\" on type \"User\".", ""),
            (
                "Cannot query field \"radius\" on type \"Shape\".",
                " Did you mean to use an inline fragment on \"Circle\"?",
            ),
            (
                "Unknown argument \"nickName\" on field \"Query.user\".",
                " Did you mean \"nickname\"?",
            ),
            (
                "Unknown argument \"iff\" on directive \"@include\".",
                " Did you mean \"if\"?",
            ),
            ("Unknown type \"Usr\".", " Did you mean \"User\"?"),
            (
                "Unknown directive \"@inclde\".",
                " Did you mean \"@include\"?",
            ),
            (
                "Field \"cuont\" is not defined by type \"In\".",
                " Did you mean \"count\"?",
            ),
            (
                "Expected value of type \"Kind\", found BOK.",
                " Did you mean \"BOOK\"?",
            ),
            ("Expected value of type \"Int\", found BOK.", ""),
        ] {
            assert_eq!(hinted(message), hint, "{message}");
        }
    }

    #[test]
    fn what_a_suggestion_may_cost_is_bounded() {
        let long = "a".repeat(100);
        assert_eq!(hinted(&format!("Unknown type \"{long}\".")), "");
        let schema = parse_schema::<String>(SCHEMA).unwrap().into_static();
        let types = TypeTable::new(&schema, &schema);
        let errors = (0..20).map(|_| {
            let text = "Cannot query field \"idd\" on type \"User\".";
            crate::request::GraphqlError::new(Code::GRAPHQL_VALIDATION_FAILED, text)
        });
        let hinted = add(&types, RequestError::many(errors.collect()));
        let with_hint = hinted.errors().iter();
        let with_hint = with_hint.filter(|it| it.message.contains("Did you mean"));
        assert_eq!(with_hint.count(), MAX_ERRORS);
    }
}
