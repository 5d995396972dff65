//! The span and the figures of an operation in its subgraph.

use std::{any::TypeId, sync::LazyLock, time::Instant};

use async_graphql::{Request, Response};
use prometheus::{IntCounterVec, register_int_counter_vec};
use tracing::{Instrument as _, field::Empty};

use super::{Execute, TraceParent};
use crate::telemetry::{Latency, REQUEST_SECONDS, trace};

static REQUESTS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "marketplace_subgraph_requests_total",
        "Operations that a subgraph ran, by whether the answer holds errors",
        &["subgraph", "outcome"]
    )
    .expect("the name is registered once")
});

static SECONDS: LazyLock<Latency> = LazyLock::new(|| {
    Latency::register(
        "marketplace_subgraph_request_seconds",
        "Time of one operation in its subgraph",
        &["subgraph"],
        REQUEST_SECONDS,
    )
});

/// Shows a subgraph's series before its first operation.
pub(super) fn announce(subgraph: &'static str) {
    for outcome in ["ok", "error"] {
        REQUESTS.with_label_values(&[subgraph, outcome]).inc_by(0);
    }
    SECONDS.announce(&[subgraph]);
}

/// Runs an operation in a span of its own, a child of the one that called.
pub(super) async fn subgraph(name: &'static str, request: Request, execute: &Execute) -> Response {
    let started = Instant::now();
    let span = tracing::debug_span!(
        "subgraph",
        otel.name = format!("subgraph {name}"),
        otel.kind = "server",
        subgraph = name,
        graphql.errors = Empty,
        trace_id = Empty,
    );
    let span = trace::follow(span, caller(&request));
    let response = execute(request).instrument(span.clone()).await;
    let outcome = if response.errors.is_empty() {
        "ok"
    } else {
        span.record("graphql.errors", response.errors.len());
        "error"
    };
    REQUESTS.with_label_values(&[name, outcome]).inc();
    SECONDS.observe_in(&span, &[name], started.elapsed().as_secs_f64());
    response
}

fn caller(request: &Request) -> Option<&str> {
    let header = request.data.get(&TypeId::of::<TraceParent>())?;
    Some(header.downcast_ref::<TraceParent>()?.0.as_str())
}
