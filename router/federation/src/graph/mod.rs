//! The supergraph as the router knows it: the planner, the schema that clients see, and what their types allow.
//!
//! In: a supergraph SDL. Out: an immutable [`Supergraph`] that every request borrows; a reload makes a new one.

mod supergraph;
mod types;

pub(crate) use supergraph::Supergraph;
pub(crate) use types::{InputField, Kind, TypeInfo, TypeRef, TypeTable};
