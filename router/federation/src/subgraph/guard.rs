//! What every fetch is guarded by: a timeout, one retry where it is safe, and a breaker.
//!
//! The breaker counts failures in a row. Open, it refuses at once; after a while it lets one fetch through and
//! closes again when that succeeds.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tracing::{Instrument as _, Span};

use crate::host::{FetchOutcome, Telemetry};
use crate::request::{OperationKind, RequestContext};
use crate::subgraph::fetch::{FetchError, FetchRequest, Subgraph};

/// How subgraphs are called.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FetchConfig {
    /// The longest that one fetch may take; the request's own deadline may end it earlier.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration", "x-above-zero" = true))]
    pub timeout: Duration,
    /// The longest that connecting may take.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration", "x-above-zero" = true))]
    pub connect_timeout: Duration,
    /// How long an unused connection is kept: less than the subgraphs' `drain_notice`, so that no request is sent on a
    /// connection that is being closed.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration", "x-above-zero" = true))]
    pub idle_timeout: Duration,
    /// HTTP/2 without negotiation, for subgraphs that speak it.
    pub http2_prior_knowledge: bool,
    /// The longest answer that is read.
    #[schemars(range(min = 1))]
    pub max_response_bytes: usize,
    /// Failures in a row that open the breaker; 0 leaves it out.
    pub breaker_failures: u32,
    /// How long an open breaker refuses before it tries again.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration", "x-above-zero" = true))]
    pub breaker_open: Duration,
}

impl Default for FetchConfig {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(1),
            idle_timeout: Duration::from_millis(250),
            http2_prior_knowledge: false,
            max_response_bytes: 16 * 1024 * 1024,
            breaker_failures: 20,
            breaker_open: Duration::from_secs(2),
        }
    }
}

/// A subgraph with its guards.
pub(crate) struct Guarded {
    name: Box<str>,
    inner: Arc<dyn Subgraph>,
    config: FetchConfig,
    breaker: Mutex<Breaker>,
    telemetry: Arc<dyn Telemetry>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Breaker {
    /// Fetches pass; so many failed in a row.
    Closed { failures: u32 },
    /// Fetches are refused until then.
    Open { until: Instant },
    /// One fetch is on its way to find out.
    Probing,
}

impl Guarded {
    /// Guards a subgraph.
    pub(crate) fn new(
        name: &str,
        inner: Arc<dyn Subgraph>,
        config: FetchConfig,
        telemetry: Arc<dyn Telemetry>,
    ) -> Self {
        telemetry.subgraph_connected(name);
        Self {
            name: name.into(),
            inner,
            config,
            breaker: Mutex::new(Breaker::Closed { failures: 0 }),
            telemetry,
        }
    }

    fn admit(&self) -> Result<(), FetchError> {
        if self.config.breaker_failures == 0 {
            return Ok(());
        }
        let mut breaker = self.breaker.lock();
        match *breaker {
            Breaker::Closed { .. } => Ok(()),
            Breaker::Open { until } if until <= Instant::now() => {
                *breaker = Breaker::Probing;
                Ok(())
            }
            Breaker::Open { .. } | Breaker::Probing => Err(FetchError::BreakerOpen),
        }
    }

    fn record(&self, is_failure: bool) {
        if self.config.breaker_failures == 0 {
            return;
        }
        let mut breaker = self.breaker.lock();
        let open = Breaker::Open {
            until: Instant::now() + self.config.breaker_open,
        };
        *breaker = match (*breaker, is_failure) {
            (_, false) => Breaker::Closed { failures: 0 },
            (Breaker::Closed { failures }, true) if failures + 1 < self.config.breaker_failures => {
                Breaker::Closed {
                    failures: failures + 1,
                }
            }
            (Breaker::Closed { .. } | Breaker::Probing, true) => open,
            (still @ Breaker::Open { .. }, true) => still,
        };
        let is_open = matches!(*breaker, Breaker::Open { .. });
        self.telemetry.breaker(&self.name, is_open);
    }

    async fn attempt(
        &self,
        request: FetchRequest,
        ctx: &RequestContext,
    ) -> Result<Bytes, FetchError> {
        let limit = self
            .config
            .timeout
            .min(ctx.deadline.duration_since(Instant::now()));
        if limit.is_zero() {
            return Err(FetchError::Timeout(limit));
        }
        match tokio::time::timeout(limit, self.inner.fetch(request, ctx)).await {
            Ok(response) => response,
            Err(_) => Err(FetchError::Timeout(limit)),
        }
    }
}

impl Guarded {
    async fn guarded(
        &self,
        request: FetchRequest,
        ctx: &RequestContext,
    ) -> Result<Bytes, FetchError> {
        self.admit()?;
        let mut end = ProbeEnd {
            guarded: self,
            ended: false,
        };
        let mut response = self.attempt(request.clone(), ctx).await;
        if is_safe_again(&response, request.kind, ctx) {
            response = self.attempt(request, ctx).await;
        }
        end.ended = true;
        self.record(response.is_err());
        response
    }
}

/// Whether a second attempt can do no harm: nobody was reached, or what may have happened is not done twice.
fn is_safe_again(
    response: &Result<Bytes, FetchError>,
    kind: OperationKind,
    ctx: &RequestContext,
) -> bool {
    match response {
        Err(FetchError::Connect(_)) => true,
        Err(FetchError::Lost(_)) => kind != OperationKind::Mutation || ctx.is_idempotent,
        Ok(_) | Err(FetchError::Response(_) | FetchError::Timeout(_) | FetchError::BreakerOpen) => {
            false
        }
    }
}

fn outcome(response: &Result<Bytes, FetchError>) -> FetchOutcome {
    match response {
        Ok(_) => FetchOutcome::Responded,
        Err(FetchError::BreakerOpen) => FetchOutcome::Refused,
        Err(
            FetchError::Connect(_)
            | FetchError::Lost(_)
            | FetchError::Response(_)
            | FetchError::Timeout(_),
        ) => FetchOutcome::Failed,
    }
}

/// A probe that is dropped midway must not leave the breaker waiting for it.
struct ProbeEnd<'a> {
    guarded: &'a Guarded,
    ended: bool,
}

impl Drop for ProbeEnd<'_> {
    fn drop(&mut self) {
        let mut breaker = self.guarded.breaker.lock();
        if !self.ended && *breaker == Breaker::Probing {
            *breaker = Breaker::Open {
                until: Instant::now(),
            };
        }
    }
}

impl Subgraph for Guarded {
    fn fetch<'a>(
        &'a self,
        request: FetchRequest,
        ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Bytes, FetchError>> {
        let span = tracing::debug_span!(
            "fetch",
            otel.name = format!("fetch {}", self.name),
            otel.kind = "client",
            otel.status_code = tracing::field::Empty,
            subgraph = &*self.name,
        );
        let observed = async move {
            let started = std::time::Instant::now();
            let response = self.guarded(request, ctx).await;
            self.telemetry
                .fetched(&self.name, outcome(&response), started.elapsed());
            if response.is_err() {
                Span::current().record("otel.status_code", "ERROR");
            }
            response
        };
        Box::pin(observed.instrument(span))
    }
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
