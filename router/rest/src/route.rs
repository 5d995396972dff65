//! A call of a gateway as data: what a client sends and gets, and which function serves it.
//!
//! The axum router and the OpenAPI document are both made from a table of [`Route`]s, so a route that is served is
//! documented and the other way round. utoipa is no substitute: it writes OpenAPI 3.1 alone, clients compare this 3.0
//! document by its text, and derived serde types would neither name a bad field as grpc-gateway does nor refuse one that
//! comes twice under different names.

use axum::http::HeaderMap;
use futures::future::BoxFuture;
use serde_json::Value;

use super::{error::Problem, json::Fields, shim::Shim};

/// Where a request holds its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// In the query.
    Get,
    /// In the body.
    Post,
}

/// The JSON form of one field.
#[derive(Debug, Clone, Copy)]
pub(super) enum JsonType {
    /// A string of digits on the way out; a string or a number on the way in.
    Int64,
    /// A number, at least `min`.
    Uint32 { min: u32 },
    /// One of a few words.
    Word,
    /// 1 to `max` characters, not all of them blank.
    Text { max: u32 },
    /// RFC 3339 in UTC.
    Timestamp,
    /// A list of at least `min` messages with the fields `items`.
    List { items: &'static [Field], min: u32 },
}

/// One field of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) json_type: JsonType,
    /// What it means and how it is bounded.
    pub(super) about: &'static str,
}

impl Field {
    const fn new(name: &'static str, json_type: JsonType, about: &'static str) -> Self {
        Self {
            name,
            json_type,
            about,
        }
    }

    pub(super) const fn int64(name: &'static str, about: &'static str) -> Self {
        Self::new(name, JsonType::Int64, about)
    }

    pub(super) const fn uint32(name: &'static str, min: u32, about: &'static str) -> Self {
        Self::new(name, JsonType::Uint32 { min }, about)
    }

    pub(super) const fn word(name: &'static str, about: &'static str) -> Self {
        Self::new(name, JsonType::Word, about)
    }

    pub(super) const fn text(name: &'static str, max: u32, about: &'static str) -> Self {
        Self::new(name, JsonType::Text { max }, about)
    }

    pub(super) const fn timestamp(name: &'static str, about: &'static str) -> Self {
        Self::new(name, JsonType::Timestamp, about)
    }

    pub(super) const fn list(
        name: &'static str,
        items: &'static [Self],
        min: u32,
        about: &'static str,
    ) -> Self {
        Self::new(name, JsonType::List { items, min }, about)
    }
}

/// One call of a gateway.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) summary: &'static str,
    pub(super) request: &'static [Field],
    pub(super) reply: &'static [Field],
    /// Statuses besides 200 that a client can cause, with their reasons.
    pub(super) refusals: &'static [(u16, &'static str)],
    pub(super) call: Call,
}

/// Serves a route: the message in, the reply's JSON or a problem out.
pub(super) type Call = for<'a> fn(&'a Shim, Incoming) -> BoxFuture<'a, Result<Value, Problem>>;

/// A message as it came, with the headers it came with.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) fields: Fields,
    pub(super) headers: HeaderMap,
}

impl Incoming {
    /// An id that the message must hold, greater than 0. `what` is the field as protobuf's validators name it.
    ///
    /// # Errors
    /// [`Problem`] (code 3) when it is no int64, absent, or not greater than 0.
    pub(super) fn id<T: TryFrom<i64>>(&self, names: &[&str], what: &str) -> Result<T, Problem> {
        id(&self.fields, names, what)
    }
}

/// As [`Incoming::id`], of a message within a message.
///
/// # Errors
/// [`Problem`] (code 3).
pub(super) fn id<T: TryFrom<i64>>(
    fields: &Fields,
    names: &[&str],
    what: &str,
) -> Result<T, Problem> {
    T::try_from(fields.int64(names)?)
        .map_err(|_| Problem::invalid(format!("invalid {what}: value must be greater than 0")))
}
