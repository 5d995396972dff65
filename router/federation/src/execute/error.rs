//! Errors beside data: where they belong in the client's words, and what of them a client may read.
//!
//! Invariants: a message of a subgraph reaches the client only with a public code, anything else is one generic
//! sentence and a line in the log. Every null of a non-null type has an error at, above or below it.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::execute::store::PathSegment;
use crate::host::{PublicCodes, Telemetry};
use crate::request::{Code, GraphqlError, Location, RequestError};
use crate::shape::ShapeField;

/// More errors than this are counted and not written: those of the thousandth broken item tell nothing new.
const MAX_ERRORS: usize = 100;

/// What a client may read of a subgraph's `extensions` beside the code: which argument is at fault, and when to come back.
const PUBLIC_EXTENSIONS: [&str; 2] = ["field", "retryAfterSeconds"];

/// An error as a subgraph writes it. What of it is not as the specification has it (7.1.2) is passed over, and the error
/// stays one.
#[derive(Debug, Clone)]
pub(crate) struct SubgraphError {
    /// One sentence for a person.
    pub(crate) message: String,
    /// Where, in the subgraph's response.
    pub(crate) path: Option<Vec<SubgraphPathSegment>>,
    /// Its code and more.
    pub(crate) extensions: Option<Map<String, Value>>,
}

impl From<Value> for SubgraphError {
    fn from(mut written: Value) -> Self {
        let mut member = |name| written.get_mut(name).map(Value::take);
        Self {
            message: match member("message") {
                Some(Value::String(message)) => message,
                _ => String::new(),
            },
            path: member("path").and_then(|path| Vec::deserialize(path).ok()),
            extensions: match member("extensions") {
                Some(Value::Object(extensions)) => Some(extensions),
                _ => None,
            },
        }
    }
}

impl SubgraphError {
    /// Whether the subgraph stopped because its caller takes in no more objects (`x-response-objects-max`).
    pub(crate) fn is_too_many_objects(&self) -> bool {
        let extensions = self.extensions.as_ref();
        extensions.is_some_and(|it| it.get("limit").is_some_and(|it| it == "response_objects"))
    }
}

/// A step of a subgraph's error path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(untagged)]
pub(crate) enum SubgraphPathSegment {
    /// An item of a list.
    Index(u32),
    /// A response key.
    Key(String),
}

/// A place of the response.
#[derive(Debug, Clone)]
pub(crate) struct Place<'a> {
    /// In the words of the store.
    pub(crate) path: Vec<PathSegment>,
    /// What the client asked for at each key of the path; never empty.
    pub(crate) fields: Vec<&'a ShapeField>,
    /// How much of the path leads to the null that it is about, which may have gone up: to all that is not there with it.
    pub(crate) null: usize,
}

impl Place<'_> {
    /// The path of the null that it is about.
    pub(crate) fn null(&self) -> &[PathSegment] {
        &self.path[..self.null]
    }
}

/// What a client reads of an error.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ClientError {
    code: Code,
    message: String,
    extensions: Map<String, Value>,
}

impl ClientError {
    /// A defect, without its cause.
    pub(crate) fn internal() -> Self {
        let GraphqlError { code, message, .. } = GraphqlError::internal();
        Self::new(code, message)
    }

    /// A subgraph that cannot be reached, without its name.
    pub(crate) fn unavailable() -> Self {
        let GraphqlError { code, message, .. } = GraphqlError::unavailable();
        Self::new(code, message)
    }

    /// An error with a sentence of its own.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        let mut extensions = Map::new();
        extensions.insert("code".to_owned(), code.as_str().into());
        Self {
            code,
            message: message.into(),
            extensions,
        }
    }

    /// The error of a refusal.
    pub(crate) fn of_request(refused: &RequestError) -> Self {
        let mut report = Self::new(refused.code(), refused.errors()[0].message.clone());
        report
            .extensions
            .extend(refused.errors()[0].extensions.clone());
        report
    }

    /// A subgraph's error: passed on when its code is public, masked otherwise.
    pub(crate) fn from_subgraph(
        codes: &PublicCodes,
        subgraph: &str,
        error: &SubgraphError,
    ) -> Self {
        let extensions = error.extensions.as_ref();
        let code = extensions.and_then(|extensions| extensions.get("code")?.as_str());
        let Some(known) = code
            .and_then(|code| codes.find(code))
            .filter(Code::is_of_data)
        else {
            tracing::warn!(
                subgraph,
                code,
                message = %error.message,
                "a subgraph reported an error that clients do not see"
            );
            return Self::internal();
        };
        let mut report = match known {
            Code::UNAVAILABLE => Self::unavailable(),
            _ => Self::new(known, error.message.clone()),
        };
        for name in PUBLIC_EXTENSIONS {
            if let Some(value) = extensions.and_then(|extensions| extensions.get(name)) {
                report.extensions.insert(name.to_owned(), value.clone());
            }
        }
        report
    }
}

/// The paths at which an error is reported.
#[derive(Debug, Default)]
pub(crate) struct Explained {
    /// Everything from here down is explained.
    pub(crate) whole: bool,
    /// An error stands here.
    is_reported: bool,
    children: HashMap<PathSegment, Explained>,
}

impl Explained {
    /// What is explained below one step.
    pub(crate) fn child(&self, item: PathSegment) -> Option<&Self> {
        self.children.get(&item)
    }

    fn has_reported(&self) -> bool {
        self.is_reported || self.children.values().any(Self::has_reported)
    }

    fn mark(&mut self, path: &[PathSegment]) -> &mut Self {
        let mut node = self;
        for item in path {
            node = node.children.entry(*item).or_default();
        }
        node.whole = true;
        node
    }
}

/// The errors of one response.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    written: Vec<Value>,
    left_off: usize,
    /// How many there are of each code, those left off included.
    counts: Vec<(Code, u64)>,
    /// Where the operation stands in its text, for errors of no one field.
    operation: Option<Location>,
    /// Where nulls need no error of their own.
    pub(crate) explained: Explained,
}

impl Errors {
    /// No errors yet, of the operation at this place of its text.
    pub(crate) fn of_operation(operation: Location) -> Self {
        Self {
            operation: Some(operation),
            ..Self::default()
        }
    }

    /// Adds an error at a place of the store.
    pub(crate) fn add(&mut self, report: &ClientError, place: &Place<'_>) {
        self.explained.mark(&place.path).is_reported = true;
        let Some(field) = place.fields.last() else {
            return self.add_without_path(report);
        };
        if self.count_one(report) {
            self.write(report, Some(client_path(place)), &field.places);
        }
    }

    /// Adds an error without a path.
    pub(crate) fn add_without_path(&mut self, report: &ClientError) {
        if self.count_one(report) {
            let operation = self.operation;
            self.write(report, None, operation.as_slice());
        }
    }

    /// Adds an error of a field whose path is already in the client's words.
    pub(crate) fn add_at(&mut self, report: &ClientError, path: Vec<Value>, places: &[Location]) {
        if self.count_one(report) {
            self.write(report, Some(path), places);
        }
    }

    /// Marks a path whose nulls follow from an error that is reported elsewhere.
    pub(crate) fn explain(&mut self, path: &[PathSegment]) {
        self.explained.mark(path);
    }

    /// Whether an error stands at this path.
    pub(crate) fn is_reported(&self, path: &[PathSegment]) -> bool {
        let mut node = Some(&self.explained);
        for item in path {
            node = node.and_then(|node| node.child(*item));
        }
        node.is_some_and(|node| node.is_reported)
    }

    /// Whether an error stands above this path.
    pub(crate) fn is_reported_above(&self, path: &[PathSegment]) -> bool {
        let mut node = &self.explained;
        for item in path {
            if node.is_reported {
                return true;
            }
            match node.child(*item) {
                Some(below) => node = below,
                None => return false,
            }
        }
        false
    }

    /// Whether an error stands at this path or below it.
    pub(crate) fn is_reported_below(&self, path: &[PathSegment]) -> bool {
        let mut node = Some(&self.explained);
        for item in path {
            node = node.and_then(|node| node.child(*item));
        }
        node.is_some_and(Explained::has_reported)
    }

    /// How many errors there are, those left off included.
    pub(crate) fn len(&self) -> usize {
        self.written.len() + self.left_off
    }

    /// Reports what clients are about to read.
    pub(crate) fn count(&self, telemetry: &dyn Telemetry) {
        for (code, count) in &self.counts {
            telemetry.errors(*code, *count);
        }
    }

    /// The errors as they stand in the response.
    pub(crate) fn into_json(self) -> Value {
        self.written.into()
    }

    /// Counts an error, and tells whether there is room for it.
    fn count_one(&mut self, report: &ClientError) -> bool {
        let mut counts = self.counts.iter_mut();
        match counts.find(|(code, _)| *code == report.code) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((report.code, 1)),
        }
        let has_room = self.written.len() < MAX_ERRORS;
        if !has_room {
            self.left_off += 1;
        }
        has_room
    }

    fn write(&mut self, report: &ClientError, path: Option<Vec<Value>>, places: &[Location]) {
        let mut error = Map::new();
        error.insert("message".to_owned(), report.message.clone().into());
        if !places.is_empty() {
            let places = places.iter().map(Location::to_json);
            error.insert("locations".to_owned(), places.collect());
        }
        if let Some(path) = path {
            error.insert("path".to_owned(), path.into());
        }
        error.insert("extensions".to_owned(), report.extensions.clone().into());
        self.written.push(error.into());
    }
}

/// A path in the client's words.
fn client_path(place: &Place<'_>) -> Vec<Value> {
    let mut fields = place.fields.iter();
    let step = |item: &PathSegment| match item {
        PathSegment::Index(position) => Some(json!(position)),
        PathSegment::Key(_) => fields.next().map(|field| Value::from(&*field.response)),
    };
    place.path.iter().map_while(step).collect()
}
