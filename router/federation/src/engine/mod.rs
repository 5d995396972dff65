//! The pipeline: a request in, a response out.
//!
//! Two steps, so that a transport can decide between them: [`Engine::prepare`] refuses or plans, and
//! [`Engine::execute`] or [`Engine::execute_event`] runs what was prepared.

mod config;
mod events;
mod prepare;
mod reload;
mod run;
mod steps;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use graphql_tools::validation::validate::ValidationPlan;
use http::Extensions;
use tokio::sync::watch;

use crate::execute::schema_size::schema_size;
pub use crate::graph::LoadError;
use crate::graph::{self, Supergraph};
use crate::host::Host;
use crate::operation::cache::Operations;
use crate::operation::document::{self, Document};
pub use crate::operation::limits::Limits;
use crate::operation::persisted::PersistedOperations;
pub use crate::operation::turns::NewOperations;
use crate::plan::explain::{explain, fetches};
use crate::plan::planner::Planner;
use crate::subgraph::{Connected, Declared, Mutations, Routes, Subscriptions};
pub use config::EngineConfig;
pub use events::{Completion, EventNeeds};
use prepare::Planned;
pub use prepare::Prepared;
use steps::KnownSteps;

/// Plans and runs operations over one supergraph.
pub struct Engine {
    config: EngineConfig,
    rules: Arc<ValidationPlan>,
    persisted: PersistedOperations,
    served: ArcSwap<Served>,
    routes: Arc<dyn Routes>,
    /// Told after each reload.
    reloads: watch::Sender<()>,
    host: Host,
    /// What has been changed through this engine, for who must not read what was before.
    mutations: Mutations,
}

/// A supergraph with its subgraphs and the operations that were planned over it; a reload replaces all of it at once.
struct Served {
    subgraphs: HashMap<String, Connected>,
    supergraph: Supergraph,
    planner: Planner,
    /// The objects of introspection that tell all of the schema once.
    schema_size: u64,
    operations: Operations<Planned>,
    steps: KnownSteps,
    /// What the host made of the supergraph's subscriptions.
    own: Extensions,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Engine {
    /// Loads the supergraph and connects its subgraphs by `routes`, which is asked again for each reload.
    ///
    /// # Errors
    /// [`LoadError`] when the supergraph cannot be parsed or planned over, or a subgraph cannot be called.
    pub fn new(
        config: EngineConfig,
        supergraph_sdl: &str,
        routes: impl Routes + 'static,
        host: Host,
    ) -> Result<Self, LoadError> {
        let routes: Arc<dyn Routes> = Arc::new(routes);
        let mutations = Mutations::default();
        let served = load(&config, supergraph_sdl, &*routes, &host, &mutations, None)?;
        Ok(Self {
            rules: Arc::new(document::rules()),
            persisted: PersistedOperations::new(config.persisted_bytes),
            served: ArcSwap::from_pointee(served),
            routes,
            reloads: watch::Sender::new(()),
            config,
            host,
            mutations,
        })
    }

    /// The consumer schema as SDL.
    #[must_use]
    pub fn sdl(&self) -> String {
        self.served.load().supergraph.sdl()
    }

    /// The plan as text.
    #[must_use]
    pub fn explain(&self, prepared: &Prepared) -> String {
        let plans = prepared.planned.steps.plans.iter();
        plans
            .map(|(_, plan)| explain(plan, &prepared.planned.steps.keys))
            .collect()
    }

    /// The plan as it stands in `extensions.queryPlan`: its fetches, each with those that it starts after. The fields of a
    /// mutation run one after another, so that the first fetches of one start after the fetches of the field before.
    fn plan_as_json(&self, prepared: &Prepared) -> serde_json::Value {
        let mut all = Vec::new();
        let mut before = 1..1;
        for (_, plan) in &prepared.planned.steps.plans {
            all.extend(fetches(plan, &prepared.planned.steps.keys, before.clone()));
            before = before.end..all.len() + 1;
        }
        serde_json::json!({ "fetches": all })
    }
}

/// The schema that clients of a supergraph see, as SDL.
///
/// # Errors
/// [`LoadError`] when the supergraph cannot be parsed or planned over.
pub fn api_schema(supergraph_sdl: &str) -> Result<String, LoadError> {
    let document = Planner::parse(supergraph_sdl)?;
    graph::declared(&document)?;
    let planner = Planner::new(&document)?;
    Ok(Supergraph::new(&planner.consumer_schema(), &document)?.sdl())
}

/// The subgraphs that a supergraph declares.
///
/// # Errors
/// [`LoadError`] when it cannot be parsed, declares none, or declares a name twice.
pub fn declared(supergraph_sdl: &str) -> Result<Vec<Declared>, LoadError> {
    graph::declared(&Planner::parse(supergraph_sdl)?)
}

/// What a supergraph says of its subscriptions.
///
/// # Errors
/// [`LoadError`] when it cannot be parsed.
pub fn subscriptions(supergraph_sdl: &str) -> Result<Subscriptions, LoadError> {
    Ok(graph::subscriptions(&Planner::parse(supergraph_sdl)?))
}

fn load(
    config: &EngineConfig,
    sdl: &str,
    routes: &dyn Routes,
    host: &Host,
    mutations: &Mutations,
    before: Option<&Served>,
) -> Result<Served, LoadError> {
    let document = Planner::parse(sdl)?;
    let declared = graph::declared(&document)?;
    let planner = Planner::new(&document)?;
    let own = routes.subscriptions(&graph::subscriptions(&document));
    let own = own.map_err(LoadError::Subscriptions)?;
    let mut subgraphs = HashMap::new();
    for mut subgraph in declared {
        subgraph.is_own = own.subgraphs.contains(&subgraph.name);
        let before = before.and_then(|before| before.subgraphs.get(&subgraph.name));
        let connect = |route| {
            let name = &subgraph.name;
            Connected::new(name, route, before, &config.fetch, host, mutations)
        };
        let connected = routes.route(&subgraph).and_then(connect);
        let connected = connected.map_err(|error| LoadError::Subgraph {
            name: subgraph.name.clone(),
            error,
        })?;
        subgraphs.insert(subgraph.name, connected);
    }
    let supergraph = Supergraph::new(&planner.consumer_schema(), &document)?;
    let rules = document::rules();
    for (what_for, text) in &own.operations {
        let parsed = Document::parse(&supergraph, &rules, &config.limits, text, None);
        parsed.map_err(|error| {
            let why = error.errors().first().map_or("", |error| &error.message);
            LoadError::Subscriptions(format!("{what_for}: {why}"))
        })?;
    }
    Ok(Served {
        own: own.data,
        subgraphs,
        schema_size: schema_size(&supergraph.consumer),
        supergraph,
        steps: KnownSteps::new(config.cache_bytes / 3),
        operations: Operations::new(
            config.cache_bytes / 3 * 2,
            config.new_operations.clone(),
            host.telemetry.clone(),
        ),
        planner,
    })
}
