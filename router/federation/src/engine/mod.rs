//! The pipeline: a request in, a response out.
//!
//! Two steps, so that a transport can decide between them: [`Engine::prepare`] refuses or plans, and
//! [`Engine::execute`] or [`Engine::execute_event`] runs what was prepared.

mod config;
mod prepare;
mod run;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use graphql_tools::validation::validate::ValidationPlan;

use crate::execute::schema_size::schema_size;
pub use crate::graph::LoadError;
use crate::graph::Supergraph;
use crate::host::Host;
use crate::operation::cache::Operations;
use crate::operation::document;
pub use crate::operation::limits::Limits;
use crate::operation::persisted::PersistedOperations;
pub use crate::operation::turns::NewOperations;
use crate::plan::explain::explain;
use crate::plan::planner::Planner;
use crate::subgraph::{self, Subgraph, Transport};
pub use config::EngineConfig;
use prepare::Planned;
pub use prepare::Prepared;

/// Plans and runs operations over one supergraph.
pub struct Engine {
    config: EngineConfig,
    rules: Arc<ValidationPlan>,
    persisted: PersistedOperations,
    served: ArcSwap<Served>,
    subgraphs: HashMap<String, Arc<dyn Subgraph>>,
    host: Host,
}

/// A supergraph with the operations that were planned over it; a reload replaces all of it at once.
struct Served {
    supergraph: Supergraph,
    planner: Planner,
    /// The objects of introspection that tell all of the schema once.
    schema_size: u64,
    operations: Operations<Planned>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Engine {
    /// Loads the supergraph and connects its subgraphs.
    ///
    /// # Errors
    /// [`LoadError`] when the supergraph cannot be parsed or planned over, or a subgraph has no transport.
    pub fn new(
        config: EngineConfig,
        supergraph_sdl: &str,
        subgraphs: BTreeMap<String, Transport>,
        host: Host,
    ) -> Result<Self, LoadError> {
        let subgraphs = subgraph::connect(subgraphs, &config.fetch, &host);
        let served = load(&config, supergraph_sdl, &subgraphs, &host)?;
        Ok(Self {
            rules: Arc::new(document::rules()),
            persisted: PersistedOperations::new(config.persisted_bytes),
            served: ArcSwap::from_pointee(served),
            subgraphs,
            config,
            host,
        })
    }

    /// Serves another supergraph from now on; what is running or prepared ends on the old one.
    ///
    /// # Errors
    /// [`LoadError`], and then the old one stays.
    pub fn reload(&self, supergraph_sdl: &str) -> Result<(), LoadError> {
        let served = load(&self.config, supergraph_sdl, &self.subgraphs, &self.host)?;
        self.served.store(Arc::new(served));
        Ok(())
    }

    /// The consumer schema as SDL.
    #[must_use]
    pub fn sdl(&self) -> String {
        self.served.load().supergraph.sdl()
    }

    /// The plan as text.
    #[must_use]
    pub fn explain(&self, prepared: &Prepared) -> String {
        let plans = prepared.planned.plans.iter();
        plans
            .map(|(_, plan)| explain(plan, &prepared.planned.keys))
            .collect()
    }
}

fn load(
    config: &EngineConfig,
    sdl: &str,
    subgraphs: &HashMap<String, Arc<dyn Subgraph>>,
    host: &Host,
) -> Result<Served, LoadError> {
    let (planner, document) = Planner::load(sdl)?;
    let is_missing = |name: &&str| !subgraphs.contains_key(*name);
    if let Some(missing) = planner.subgraphs().find(is_missing) {
        return Err(LoadError::MissingSubgraph(missing.to_owned()));
    }
    let supergraph = Supergraph::new(&planner.consumer_schema(), &document);
    Ok(Served {
        schema_size: schema_size(&supergraph.consumer),
        supergraph,
        operations: Operations::new(
            config.cache_bytes,
            config.new_operations.clone(),
            host.telemetry.clone(),
        ),
        planner,
    })
}
