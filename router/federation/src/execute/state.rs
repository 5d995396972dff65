//! The state of one running operation: what all its fetches share, what it has so far, and a fetch on its way.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

use crate::execute::budget::Budget;
use crate::execute::entity_cache::EntityCache;
use crate::execute::error::Errors;
use crate::execute::extensions::Extensions;
use crate::execute::representations::Representations;
use crate::execute::store::Store;
use crate::graph::TypeTable;
use crate::host::Host;
use crate::plan::compile::FetchPlan;
use crate::request::{Location, OperationKind, RequestContext};
use crate::shape::{Keys, Shape};
use crate::subgraph::{Connected, FetchRequest};

/// What every fetch of a request needs to know.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// Types of the graph.
    pub(crate) types: &'a TypeTable,
    /// Response keys of the operation.
    pub(crate) keys: &'a Keys,
    /// What the client asked for.
    pub(crate) shape: &'a Shape,
    /// Query or mutation; an event counts as a query.
    pub(crate) kind: OperationKind,
    /// Coerced variables.
    pub(crate) variables: &'a Map<String, Json>,
    /// The subgraphs by name.
    pub(crate) subgraphs: &'a HashMap<String, Connected>,
    /// Who observes.
    pub(crate) host: &'a Host,
    /// The caller.
    pub(crate) ctx: &'a RequestContext,
}

/// What a request has so far.
#[derive(Debug)]
pub(crate) struct Progress {
    /// How much more it may hold.
    pub(crate) budget: Budget,
    /// The data.
    pub(crate) store: Store,
    /// What went wrong.
    pub(crate) errors: Errors,
    /// What subgraphs say beside the data.
    pub(crate) extensions: Extensions,
    /// Entities already known.
    pub(crate) entities: EntityCache,
}

impl Progress {
    /// Nothing so far of the operation that stands at this place of its text.
    pub(crate) fn new(budget: Budget, operation: Location) -> Self {
        Self {
            budget,
            store: Store::default(),
            errors: Errors::of_operation(operation),
            extensions: Extensions::default(),
            entities: EntityCache::default(),
        }
    }
}

/// A fetch on its way.
pub(crate) struct Call<'a> {
    /// The fetch.
    pub(crate) fetch: &'a FetchPlan,
    /// What its subgraph is sent.
    pub(crate) request: FetchRequest,
    /// For each batch of the fetch, what was asked and into which slots it goes.
    pub(crate) asked: Vec<Representations>,
}
