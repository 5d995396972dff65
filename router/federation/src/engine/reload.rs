//! Another supergraph while operations run: it is checked and warmed first, and then takes over between two operations.
//!
//! Invariants: a supergraph that does not load changes nothing; what is running or prepared ends on the old one, subgraphs
//! included; whoever holds a prepared operation for long renews it.

use std::cmp::Reverse;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::engine::prepare::Prepared;
use crate::engine::{Engine, LoadError, Served, load};
use crate::request::{GraphRequest, OperationKinds, RequestError};

/// The most used operations, which are planned before a supergraph takes over, and the longest that this may take.
const WARMED: usize = 500;
const WARMING: Duration = Duration::from_secs(5);

impl Engine {
    /// Serves another supergraph from now on; what is running or prepared ends on the old one, subgraphs included. A
    /// subgraph that is reached as before keeps its connections and its breaker. The most used operations are planned before.
    ///
    /// # Errors
    /// [`LoadError`], and then the old one stays.
    pub async fn reload(&self, supergraph_sdl: &str) -> Result<(), LoadError> {
        let before = self.served.load_full();
        let (config, routes) = (self.config.clone(), self.routes.clone());
        let (host, old, sdl) = (self.host.clone(), before.clone(), supergraph_sdl.to_owned());
        let mutations = self.mutations.clone();
        let loading = move || load(&config, &sdl, &*routes, &host, &mutations, Some(&old));
        let loaded = tokio::task::spawn_blocking(loading).await;
        let served = Arc::new(loaded.map_err(|error| LoadError::Planner(error.to_string()))??);
        // What is not warm by then is planned when it is asked for.
        let warming = self.warm(&before, &served);
        drop(tokio::time::timeout(WARMING, warming).await);
        self.served.store(served);
        self.reloads.send_replace(());
        Ok(())
    }

    /// Changes after each reload: whoever holds a prepared operation for long [renews](Self::renew) it then.
    #[must_use]
    pub fn reloads(&self) -> watch::Receiver<()> {
        self.reloads.subscribe()
    }

    /// The same operation over the supergraph that is served now; `None` where it is of that one.
    ///
    /// # Errors
    /// As [`Engine::prepare`], where the operation is not one of the new graph.
    pub async fn renew(&self, prepared: &Prepared) -> Result<Option<Prepared>, RequestError> {
        if Arc::ptr_eq(&self.served.load(), &prepared.served) {
            return Ok(None);
        }
        let request = GraphRequest {
            query: Some(prepared.planned.text.to_string()),
            operation_name: prepared.name().map(str::to_owned),
            variables: (*prepared.variables).clone(),
            extensions: Map::new(),
        };
        self.prepare(&request, OperationKinds::ALL).await.map(Some)
    }

    async fn warm(&self, before: &Served, served: &Arc<Served>) {
        let mut plans = before.operations.plans();
        plans.sort_by_key(|(_, _, plan)| Reverse(plan.uses.load(Ordering::Relaxed)));
        for (key, conditions, plan) in plans.into_iter().take(WARMED) {
            let (text, name) = (plan.text.clone(), plan.document.name.as_deref());
            // One that is not of the new graph is refused when it is asked for.
            let Ok(document) = self.document(served, key, text.clone(), name).await else {
                continue;
            };
            let names = document.conditions.iter().cloned();
            let given = names.zip(conditions);
            let given = given.filter_map(|(name, value)| Some((name, Value::Bool(value?))));
            let given: Map<String, Value> = given.collect();
            drop(self.plan(served, key, document, text, &given).await);
        }
    }
}
