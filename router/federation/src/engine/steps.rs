//! Plans of operations that were planned before under another text: a new name, other aliases or another layout of an
//! operation plan nothing.
//!
//! Invariant: plans depend on what is written for the planner and on the numbers of the response keys alone, and both make
//! the key.

use std::mem::size_of;
use std::sync::Arc;

use moka::sync::Cache;
use sha2::{Digest, Sha256};

use crate::operation::emit::ToPlan;
use crate::plan::compile::CompiledPlan;
use crate::request::RequestError;
use crate::shape::Keys;
use crate::weight::{Counted, Weight, allocation, shared};

/// What running an operation takes.
pub(super) struct Steps {
    /// Its response keys.
    pub(super) keys: Keys,
    /// Plans in order, each with the position of its root field if it is a mutation's.
    pub(super) plans: Vec<(Option<usize>, CompiledPlan)>,
}

impl Weight for Steps {
    fn heap(&self, counted: &mut Counted) -> usize {
        let plans = allocation(self.plans.capacity() * size_of::<(Option<usize>, CompiledPlan)>());
        let inner = self.plans.iter().map(|(_, plan)| plan.heap(counted));
        let inner: usize = inner.sum();
        self.keys.heap(counted) + plans + inner
    }
}

/// What the cache itself holds for an entry.
const ENTRY: usize = 400;

/// The steps of operations by what was planned.
pub(super) struct KnownSteps(Cache<[u8; 32], Arc<Steps>>);

impl KnownSteps {
    /// An empty cache that holds at most so many bytes.
    pub(super) fn new(bytes: u64) -> Self {
        let weigher = |_: &[u8; 32], steps: &Arc<Steps>| {
            let bytes = ENTRY + shared(steps, &mut Counted::new());
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let cache = Cache::builder().max_capacity(bytes).weigher(weigher);
        Self(cache.build())
    }

    /// The steps for these documents with these response keys, made by `plan` if they are new.
    ///
    /// # Errors
    /// Those of `plan`, which are not kept.
    pub(super) fn find(
        &self,
        keys: Keys,
        documents: &[ToPlan],
        plan: impl FnOnce(Keys) -> Result<Steps, RequestError>,
    ) -> Result<Arc<Steps>, RequestError> {
        let key = digest(&keys, documents);
        if let Some(known) = self.0.get(&key) {
            return Ok(known);
        }
        let made = Arc::new(plan(keys)?);
        self.0.insert(key, made.clone());
        // Otherwise what is over the bound stays until more entries came to be looked at together.
        self.0.run_pending_tasks();
        Ok(made)
    }
}

/// A digest that nobody can make equal for two of them.
fn digest(keys: &Keys, documents: &[ToPlan]) -> [u8; 32] {
    let mut digest = Sha256::new();
    let mut part = |text: &str| {
        digest.update(text.len().to_be_bytes());
        digest.update(text);
    };
    for document in documents {
        part(&format!("{:?}", document.root_field));
        part(&document.document.to_string());
    }
    part("");
    keys.names().for_each(part);
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use bytes::Bytes;
    use futures::future::BoxFuture;

    use super::*;
    use crate::engine::{Engine, EngineConfig};
    use crate::host::Host;
    use crate::request::{GraphRequest, OperationKinds, RequestContext};
    use crate::subgraph::{FetchError, FetchRequest, Subgraph, Transport};

    const SUPERGRAPH: &str = include_str!("../../tests/it/toy/supergraph.graphql");

    struct One;

    impl Subgraph for One {
        fn fetch<'a>(
            &'a self,
            request: FetchRequest,
            _: &'a RequestContext,
        ) -> BoxFuture<'a, Result<Bytes, FetchError>> {
            let (key, _) = &request.fields[0];
            let answer = format!(r#"{{"data":{{"{key}":{{"sku":"1","name":"Cup"}}}}}}"#);
            Box::pin(async { Ok(Bytes::from(answer)) })
        }
    }

    fn engine() -> Engine {
        let names = ["catalog", "events", "reviews", "stock"];
        let one = || Transport::Custom(Arc::new(One));
        let subgraphs: BTreeMap<_, _> = names.map(|name| (name.to_owned(), one())).into();
        let config = EngineConfig::default();
        Engine::new(config, SUPERGRAPH, subgraphs, Host::default()).expect("the graph loads")
    }

    async fn run(engine: &Engine, text: &str) -> String {
        let request = GraphRequest {
            query: Some(text.to_owned()),
            ..GraphRequest::default()
        };
        let prepared = engine.prepare(&request, OperationKinds::ALL).await;
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        let ctx = RequestContext::anonymous(deadline);
        let response = engine.execute(&prepared.expect("it is good"), &ctx).await;
        String::from_utf8_lossy(&response.body).into_owned()
    }

    #[tokio::test]
    async fn what_only_clients_can_tell_apart_is_planned_once() {
        let engine = engine();
        let known = || {
            let steps = &engine.served.load_full().steps.0;
            steps.run_pending_tasks();
            steps.entry_count()
        };
        let plain = r#"{"data":{"product":{"sku":"1","name":"Cup"}}}"#;
        for (text, response) in [
            (r#"{ product(sku: "1") { sku name } }"#, plain),
            (r#"query Named { product(sku: "1") { sku name } }"#, plain),
            (
                r#"{product(sku:"1"){...F}} fragment F on Product{sku name}"#,
                plain,
            ),
            (
                r#"{ it: product(sku: "1") { is: sku called: name } }"#,
                r#"{"data":{"it":{"is":"1","called":"Cup"}}}"#,
            ),
        ] {
            assert_eq!(run(&engine, text).await, response, "{text}");
            assert_eq!(known(), 1, "{text}");
        }
        for (text, planned) in [
            (r#"{ product(sku: "2") { sku name } }"#, 2),
            (r#"{ product(sku: "1") { sku } }"#, 3),
            (r#"mutation { drop(sku: "1") { sku name } }"#, 4),
        ] {
            run(&engine, text).await;
            assert_eq!(known(), planned, "{text}");
        }
    }
}
