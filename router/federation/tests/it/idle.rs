//! An engine for what is decided before anything is fetched: its subgraphs are called by nobody.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use federation::subgraph::{FetchError, FetchRequest};
use federation::{Engine, EngineConfig, Host, RequestContext, Subgraph, Transport};
use futures::future::BoxFuture;

struct Idle;

impl Subgraph for Idle {
    fn fetch<'a>(
        &'a self,
        _request: FetchRequest,
        _ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Bytes, FetchError>> {
        Box::pin(async { Err(FetchError::BreakerOpen) })
    }
}

/// An engine over a supergraph of these subgraphs.
pub(crate) fn engine(config: EngineConfig, supergraph: &str, subgraphs: &[&str]) -> Engine {
    let idle = subgraphs
        .iter()
        .map(|&name| (name.to_owned(), Transport::Custom(Arc::new(Idle))));
    let subgraphs: BTreeMap<_, _> = idle.collect();
    Engine::new(config, supergraph, subgraphs, Host::default()).expect("the supergraph loads")
}
