//! What the events of a subscription have in common, for a host that completes many of them.

use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::engine::prepare::{Planned, Prepared};
use crate::plan::compile::FetchPlan;
use crate::shape::Shape;

/// How an event is completed: equal for two subscriptions that are the same operation, with the same values of the variables
/// that its fetches get. What a variable says to the subscription's own field is no part of it.
#[derive(Clone)]
pub struct Completion {
    planned: Arc<Planned>,
    variables: Arc<str>,
}

/// What completing the events of a subscription asks of the graph.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventNeeds {
    /// The fields of the response, each as (object type, field).
    pub fields: BTreeSet<(String, String)>,
    /// Whether a subgraph gets headers of the client's own request, or the client gets headers of its.
    pub has_headers: bool,
}

impl Prepared {
    /// How the events of this subscription are completed.
    #[must_use]
    pub fn completion(&self) -> Completion {
        let names = self.event_fetches().flat_map(|fetch| &fetch.variables);
        let given =
            names.filter_map(|name| Some((name.clone(), self.variables.get(name)?.clone())));
        let mut given: Map<String, Value> = given.collect();
        given.sort_keys();
        Completion {
            planned: self.planned.clone(),
            variables: Value::Object(given).to_string().into(),
        }
    }

    /// What the events of this subscription need of the graph.
    #[must_use]
    pub fn event_needs(&self) -> EventNeeds {
        let mut needs = EventNeeds::default();
        fields(&self.planned.shape, &mut needs.fields);
        needs.has_headers = self.event_fetches().any(|fetch| {
            let connected = self.served.subgraphs.get(&*fetch.subgraph);
            connected.is_some_and(|it| it.exchanges_headers())
        });
        needs
    }

    /// The fetches that complete an event: all but the subscription itself.
    fn event_fetches(&self) -> impl Iterator<Item = &FetchPlan> {
        let plan = self.planned.steps.plans.first();
        let fetches = plan.map_or(&[][..], |(_, plan)| &plan.fetches);
        fetches.iter().skip(1)
    }
}

impl PartialEq for Completion {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.planned, &other.planned) && self.variables == other.variables
    }
}

impl Eq for Completion {}

impl Hash for Completion {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.planned).hash(state);
        self.variables.hash(state);
    }
}

// The variables may be secrets.
impl fmt::Debug for Completion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completion").finish_non_exhaustive()
    }
}

/// The fields of a shape, those of introspection left out.
fn fields(shape: &Shape, found: &mut BTreeSet<(String, String)>) {
    for case in &shape.cases {
        for field in case.fields.iter().filter(|it| !it.name.starts_with("__")) {
            let types = case.types.iter();
            found.extend(types.map(|ty| (ty.to_string(), field.name.to_string())));
            if let Some(child) = &field.child {
                fields(child, found);
            }
        }
    }
}
