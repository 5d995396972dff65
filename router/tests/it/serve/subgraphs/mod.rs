//! The subgraphs behind the router: small schemas over orders in memory, which a test can make wait and fail.

mod cart;
mod comments;
mod loms;
mod orders;

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering::SeqCst},
};

use bytes::Bytes;
use chassis::graphql::LocalSubgraph;
use federation::{
    RequestContext, Subgraph,
    subgraph::{FetchError, FetchRequest},
};
use futures::future::BoxFuture;
use router::{Transport, engine::local};

pub(crate) use self::orders::{Moment, Orders};

pub(crate) const START: &str = "2026-01-02T03:04:05Z";

pub(super) fn subgraphs(orders: &Orders) -> BTreeMap<String, Transport> {
    let counted = |name: &'static str, schema: LocalSubgraph| {
        let Transport::Custom(inner) = local::transport(schema) else {
            unreachable!("a schema of this process is called by itself");
        };
        let orders = orders.clone();
        let counted = Counted {
            name,
            inner,
            orders,
        };
        (name.to_owned(), Transport::Custom(Arc::new(counted)))
    };
    [
        counted("loms", loms::subgraph(orders)),
        counted("cart", cart::subgraph(orders)),
        counted("comments", comments::subgraph()),
    ]
    .into()
}

/// A subgraph whose calls for entities are counted.
struct Counted {
    name: &'static str,
    inner: Arc<dyn Subgraph>,
    orders: Orders,
}

impl Subgraph for Counted {
    fn fetch<'a>(
        &'a self,
        request: FetchRequest,
        ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Bytes, FetchError>> {
        if !request.text.contains("_entities") {
            return self.inner.fetch(request, ctx);
        }
        Box::pin(async move {
            let counts = &*self.orders.0;
            let variables: serde_json::Value =
                serde_json::from_slice(&request.variables).expect("variables");
            let asked = variables["representations"].as_array().map_or(0, Vec::len);
            counts.calls.lock().push((self.name, asked));
            let running = counts.running.fetch_add(1, SeqCst) + 1;
            counts.most.fetch_max(running, SeqCst);
            let takes = *counts.slow.lock();
            if !takes.is_zero() {
                tokio::time::sleep(takes).await;
            }
            let response = self.inner.fetch(request, ctx).await;
            counts.running.fetch_sub(1, SeqCst);
            if counts.is_away.load(SeqCst) {
                return Err(FetchError::Status(503));
            }
            response
        })
    }
}

fn fault(code: &'static str) -> async_graphql::Error {
    let error = async_graphql::Error::new("away");
    async_graphql::ErrorExtensions::extend_with(error, |_, values| values.set("code", code))
}
