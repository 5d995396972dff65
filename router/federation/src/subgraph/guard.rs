//! What every fetch is guarded by: a timeout, one retry where it is safe, and a [`breaker`](super::breaker).

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use serde::Deserialize;
use tokio::time::Instant;
use tracing::{Instrument as _, Span};

use crate::host::{FetchOutcome, Telemetry};
use crate::request::{OperationKind, RequestContext};
use crate::subgraph::breaker::{Breaker, IsOpen};
use crate::subgraph::config::FetchConfig;
use crate::subgraph::error::FetchError;
use crate::subgraph::fetch::{FetchRequest, Subgraph};
use crate::subgraph::lane::Lane;
use crate::subgraph::listener::Listener;

/// A subgraph with its guards.
pub(crate) struct Guarded {
    name: Box<str>,
    inner: Arc<dyn Subgraph>,
    config: FetchConfig,
    breaker: Option<Breaker>,
    telemetry: Arc<dyn Telemetry>,
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
            breaker: Breaker::new(name, &config, telemetry.clone()),
            config,
            telemetry,
        }
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
    /// One attempt, or two where the second can do no harm.
    async fn attempts(
        &self,
        request: FetchRequest,
        ctx: &RequestContext,
    ) -> Result<Bytes, FetchError> {
        let response = self.attempt(request.clone(), ctx).await;
        if self.config.retry_enabled && is_safe_again(&response, request.kind, ctx) {
            return self.attempt(request, ctx).await;
        }
        response
    }

    async fn guarded(
        &self,
        request: FetchRequest,
        ctx: &RequestContext,
    ) -> Result<Bytes, FetchError> {
        let Some(breaker) = &self.breaker else {
            return self.attempts(request, ctx).await;
        };
        let mut pass = breaker.enter().map_err(|IsOpen| FetchError::BreakerOpen)?;
        // Who may wait finds out whether the subgraph is back, but does not shut it for those who do not.
        if ctx.data.get::<Lane>().is_some() && !pass.is_probe() {
            pass.says_nothing();
            return self.attempts(request, ctx).await;
        }
        let patience = pass.patience();
        // A mutation may have happened, so whoever sent it waits for what became of it.
        let is_cut = pass.is_probe() && request.kind != OperationKind::Mutation;
        let mut attempts = std::pin::pin!(self.attempts(request, ctx));
        let response = match tokio::time::timeout(patience, &mut attempts).await {
            Ok(response) => response,
            Err(_) => {
                pass.is_slow();
                if is_cut {
                    return Err(FetchError::Timeout(patience));
                }
                attempts.await
            }
        };
        match &response {
            // The request had hardly any time left: that is not the subgraph's doing.
            Err(FetchError::Timeout(limit)) if *limit * 2 < patience => drop(pass),
            Err(_) => pass.tell(true),
            Ok(bytes) => {
                let is_failure = pass.is_felt() && has_failed(bytes);
                pass.tell(is_failure);
            }
        }
        response
    }
}

/// The codes of errors with which a subgraph says that what it needs is not there, or was not there in time.
const FAILURES: [&str; 2] = ["UNAVAILABLE", "DEADLINE_EXCEEDED"];

/// Whether a response says that the subgraph could not do it.
fn has_failed(response: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Response<'a> {
        #[serde(borrow, default)]
        errors: Vec<Error<'a>>,
    }
    #[derive(Deserialize)]
    struct Error<'a> {
        #[serde(borrow)]
        extensions: Option<Extensions<'a>>,
    }
    #[derive(Deserialize)]
    struct Extensions<'a> {
        #[serde(borrow)]
        code: Option<std::borrow::Cow<'a, str>>,
    }
    let is_failure = |error: &Error<'_>| {
        let code = error.extensions.as_ref().and_then(|it| it.code.as_deref());
        code.is_some_and(|code| FAILURES.contains(&code))
    };
    serde_json::from_slice::<Response<'_>>(response)
        .is_ok_and(|response| response.errors.iter().any(is_failure))
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
        Ok(_)
        | Err(
            FetchError::Status(_)
            | FetchError::Empty
            | FetchError::TooLong { .. }
            | FetchError::Response(_)
            | FetchError::Subscriptions { .. }
            | FetchError::NoSubscriptions
            | FetchError::Timeout(_)
            | FetchError::BreakerOpen,
        ) => false,
    }
}

fn outcome(response: &Result<Bytes, FetchError>) -> FetchOutcome {
    match response {
        Ok(_) => FetchOutcome::Responded,
        Err(FetchError::BreakerOpen) => FetchOutcome::Refused,
        Err(_) => FetchOutcome::Failed,
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
            if let Err(error) = &response {
                self.telemetry.fetch_failed(&self.name, error.reason());
                Span::current().record("otel.status_code", "ERROR");
            }
            response
        };
        Box::pin(observed.instrument(span))
    }

    fn listen<'a>(
        &'a self,
        request: FetchRequest,
        ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Listener, FetchError>> {
        Box::pin(async move {
            let listener = self.inner.listen(request, ctx).await;
            if let Err(error) = &listener {
                self.telemetry.fetch_failed(&self.name, error.reason());
            }
            listener
        })
    }
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
