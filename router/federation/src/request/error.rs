//! Why a request is refused before anything is executed.
//!
//! A [`RequestError`] is one or more GraphQL errors, each with a stable `extensions.code`. Errors of fields, which
//! stand beside data, are written by `execute` and never come here.
//! Invariant: the message of a fault gives nothing internal away; the cause goes to the log alone.

use bytes::Bytes;
use serde_json::{Map, Value, json};

/// A stable error code, as clients read it in `extensions.code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code(&'static str);

/// The codes that the engine itself gives. The embedding process adds its own, and lets those of subgraphs pass by
/// [`PublicCodes`](crate::host::PublicCodes).
impl Code {
    /// The request names no operation in a way that can be understood.
    pub const BAD_REQUEST: Self = Self("BAD_REQUEST");
    /// A variable does not fit its type.
    pub const BAD_VARIABLES: Self = Self("BAD_VARIABLES");
    /// The operation's text is not GraphQL.
    pub const GRAPHQL_PARSE_FAILED: Self = Self("GRAPHQL_PARSE_FAILED");
    /// The operation does not fit the schema.
    pub const GRAPHQL_VALIDATION_FAILED: Self = Self("GRAPHQL_VALIDATION_FAILED");
    /// A defect, of a subgraph or of the engine.
    pub const INTERNAL: Self = Self("INTERNAL");
    /// The operation is larger than a limit.
    pub const LIMIT_EXCEEDED: Self = Self("LIMIT_EXCEEDED");
    /// The transport does not take this kind of operation.
    pub const METHOD_NOT_ALLOWED: Self = Self("METHOD_NOT_ALLOWED");
    /// `operationName` is missing or names nothing.
    pub const OPERATION_NOT_FOUND: Self = Self("OPERATION_NOT_FOUND");
    /// Too much is asked at once; nothing was done.
    pub const OVERLOADED: Self = Self("OVERLOADED");
    /// The persisted operation must be sent once in full.
    pub const PERSISTED_QUERY_NOT_FOUND: Self = Self("PERSISTED_QUERY_NOT_FOUND");
    /// A subgraph is out of reach.
    pub const UNAVAILABLE: Self = Self("UNAVAILABLE");

    /// All of the above.
    pub const ALL: [Self; 11] = [
        Self::BAD_REQUEST,
        Self::BAD_VARIABLES,
        Self::GRAPHQL_PARSE_FAILED,
        Self::GRAPHQL_VALIDATION_FAILED,
        Self::INTERNAL,
        Self::LIMIT_EXCEEDED,
        Self::METHOD_NOT_ALLOWED,
        Self::OPERATION_NOT_FOUND,
        Self::OVERLOADED,
        Self::PERSISTED_QUERY_NOT_FOUND,
        Self::UNAVAILABLE,
    ];

    /// Whether a subgraph that gives it speaks of data. The others are about the request that the engine wrote, or say
    /// no more than that the subgraph has a defect: neither is for a client to read.
    pub(crate) fn is_of_data(&self) -> bool {
        const OF_REQUESTS: [Code; 8] = [
            Code::BAD_REQUEST,
            Code::BAD_VARIABLES,
            Code::GRAPHQL_PARSE_FAILED,
            Code::GRAPHQL_VALIDATION_FAILED,
            Code::INTERNAL,
            Code::METHOD_NOT_ALLOWED,
            Code::OPERATION_NOT_FOUND,
            Code::PERSISTED_QUERY_NOT_FOUND,
        ];
        !OF_REQUESTS.contains(self)
    }

    /// A code of the embedding process.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self(text)
    }

    /// The text in `extensions.code`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// A position in the operation's text; both numbers count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// The line.
    pub line: usize,
    /// The column in that line.
    pub column: usize,
}

impl Location {
    /// Where every text begins.
    pub(crate) const TOP: Self = Self { line: 1, column: 1 };

    /// More positions than this of one error tell nothing new.
    pub(crate) const MOST: usize = 20;

    /// As an entry of `locations`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({ "line": self.line, "column": self.column })
    }
}

/// The longest message, in characters: a refusal must not be as long as the text that it quotes.
const MAX_MESSAGE: usize = 500;

/// One entry of `errors`.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphqlError {
    /// What clients decide on.
    pub code: Code,
    /// One sentence for a person.
    pub message: String,
    /// Where in the operation's text.
    pub locations: Vec<Location>,
    /// More members of `extensions`; `code` is not among them.
    pub extensions: Map<String, Value>,
}

/// A request that was refused before its execution.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}: {}", .errors[0].code.as_str(), .errors[0].message)]
pub struct RequestError {
    /// Never empty.
    errors: Vec<GraphqlError>,
    cost: u64,
}

impl GraphqlError {
    /// An error with a message, cut off after 500 characters, and nothing more.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: shortened(message.into()),
            locations: Vec::new(),
            extensions: Map::new(),
        }
    }

    /// A defect, without its cause.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(Code::INTERNAL, "an internal error")
    }

    /// A subgraph that cannot be reached, without its name.
    #[must_use]
    pub fn unavailable() -> Self {
        Self::new(
            Code::UNAVAILABLE,
            "a service is out of reach for the moment",
        )
    }

    /// Adds a position in the operation's text, one of the first 20.
    #[must_use]
    pub fn at(mut self, line: usize, column: usize) -> Self {
        if self.locations.len() < Location::MOST {
            self.locations.push(Location { line, column });
        }
        self
    }

    /// The error as the JSON of one entry of `errors`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut error = Map::new();
        error.insert("message".to_owned(), Value::from(self.message.as_str()));
        if !self.locations.is_empty() {
            let locations = self.locations.iter().map(Location::to_json);
            error.insert("locations".to_owned(), locations.collect());
        }
        let mut extensions = Map::new();
        extensions.insert("code".to_owned(), Value::from(self.code.as_str()));
        extensions.extend(self.extensions.clone());
        error.insert("extensions".to_owned(), Value::Object(extensions));
        Value::Object(error)
    }
}

impl RequestError {
    /// More errors than this are left off: they tell nothing new.
    pub(crate) const MOST: usize = 100;

    /// One error with its own sentence.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        GraphqlError::new(code, message).into()
    }

    /// A defect, without its cause.
    #[must_use]
    pub fn internal() -> Self {
        GraphqlError::internal().into()
    }

    /// Several errors, of which the first 100 are kept; an empty list counts as one internal error.
    #[must_use]
    pub fn many(mut errors: Vec<GraphqlError>) -> Self {
        if errors.is_empty() {
            return Self::internal();
        }
        errors.truncate(Self::MOST);
        Self { errors, cost: 1 }
    }

    /// Gives the errors that name no position in the text this one.
    pub(crate) fn or_at(mut self, place: Location) -> Self {
        for error in &mut self.errors {
            if error.locations.is_empty() {
                error.locations.push(place);
            }
        }
        self
    }

    /// Gives each error the message that `change` makes of its code and its message, where it makes one.
    pub(crate) fn map_messages(
        mut self,
        mut change: impl FnMut(Code, &str) -> Option<String>,
    ) -> Self {
        for error in &mut self.errors {
            if let Some(message) = change(error.code, &error.message) {
                error.message = shortened(message);
            }
        }
        self
    }

    /// Says what finding out cost.
    pub(crate) fn costing(mut self, cost: u64) -> Self {
        self.cost = cost;
        self
    }

    /// What was spent on the request before it was refused, in the units of an operation's cost; at least 1.
    #[must_use]
    pub fn cost(&self) -> u64 {
        self.cost
    }

    /// Adds a member to the first error's `extensions`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        if let Some(first) = self.errors.first_mut() {
            first.extensions.insert(name.to_owned(), value.into());
        }
        self
    }

    /// The errors; at least one.
    #[must_use]
    pub fn errors(&self) -> &[GraphqlError] {
        &self.errors
    }

    /// The errors by value; at least one.
    #[must_use]
    pub fn into_errors(self) -> Vec<GraphqlError> {
        self.errors
    }

    /// The code of the first error.
    #[must_use]
    pub fn code(&self) -> Code {
        self.errors
            .first()
            .map_or(Code::INTERNAL, |first| first.code)
    }

    /// `{"errors": [..]}`, without `data`: nothing was executed.
    #[must_use]
    pub fn to_body(&self) -> Bytes {
        let errors: Value = self.errors.iter().map(GraphqlError::to_json).collect();
        Bytes::from(json!({ "errors": errors }).to_string())
    }
}

impl From<GraphqlError> for RequestError {
    fn from(error: GraphqlError) -> Self {
        Self {
            errors: vec![error],
            cost: 1,
        }
    }
}

fn shortened(mut message: String) -> String {
    if let Some((end, _)) = message.char_indices().nth(MAX_MESSAGE) {
        message.truncate(end);
        message.push('…');
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_request_is_a_response_without_data() {
        let invalid = GraphqlError::new(Code::GRAPHQL_VALIDATION_FAILED, "no field x").at(1, 3);
        let error = RequestError::many(vec![invalid]).with("limit", 12);
        assert_eq!(
            error.to_body(),
            r#"{"errors":[{"message":"no field x","locations":[{"line":1,"column":3}],"extensions":{"code":"GRAPHQL_VALIDATION_FAILED","limit":12}}]}"#
        );
    }

    #[test]
    fn no_error_at_all_is_an_internal_error() {
        assert_eq!(RequestError::many(Vec::new()).code(), Code::INTERNAL);
    }
}
