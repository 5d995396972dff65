//! Identical queries at once are one: whoever asks a subgraph what it is just being asked gets the answer to that.
//!
//! Identical is what the subgraph could not tell apart: its text, variables, bound of objects and every header of the caller.
//! Invariants: nobody waits past its own deadline, and nobody's answer ends with another's deadline; one who leaves cancels
//! nothing, all who leave cancel the fetch; a query never gets an answer that was begun before a mutation of this engine
//! ended. A failure is everybody's, and nobody's to repeat.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ahash::RandomState;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Duration, Instant, timeout_at};
use tracing::Instrument as _;

use crate::host::{FetchOutcome, Telemetry};
use crate::request::{OperationKind, RequestContext};
use crate::subgraph::config::FetchConfig;
use crate::subgraph::error::FetchError;
use crate::subgraph::fetch::{FetchRequest, Subgraph};
use crate::subgraph::headers::HeaderRules;
use crate::subgraph::listener::Listener;

/// Different fetches of one subgraph that others may join; any more go by themselves.
const FLIGHTS_MAX: usize = 4_096;

/// How many mutations an engine has run: what was begun before one tells nothing of the time after it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mutations(Arc<AtomicU64>);

impl Mutations {
    /// One ended: whoever asks from now on may know of it.
    pub(crate) fn ended(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

type Response = Result<Bytes, FetchError>;

/// A subgraph whose queries are shared by those who ask the same at once.
pub(super) struct Coalesced {
    name: Box<str>,
    inner: Arc<dyn Subgraph>,
    headers: HeaderRules,
    timeout: Duration,
    flights: Arc<Flights>,
    mutations: Mutations,
    telemetry: Arc<dyn Telemetry>,
}

type Flights = Mutex<HashMap<Asked, Flight, RandomState>>;

/// What the subgraph could tell one fetch from another by.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Asked {
    text: Arc<str>,
    variables: Bytes,
    objects_max: u64,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// A fetch on its way.
struct Flight {
    response: watch::Sender<Option<Response>>,
    mutations: u64,
    /// How long it goes on at most, and how long the subgraph believes that it is waited for.
    deadline: Instant,
    wanted_until: Instant,
}

impl Flight {
    fn is_for(&self, ctx: &RequestContext, mutations: u64) -> bool {
        self.mutations == mutations
            && self.deadline >= ctx.deadline
            && self.wanted_until >= ctx.wanted_until()
    }
}

impl Coalesced {
    /// Shares the queries of a subgraph that is guarded already, so that its breaker counts what is really sent.
    pub(super) fn new(
        name: &str,
        inner: Arc<dyn Subgraph>,
        headers: &HeaderRules,
        config: &FetchConfig,
        mutations: Mutations,
        telemetry: Arc<dyn Telemetry>,
    ) -> Self {
        Self {
            name: name.into(),
            inner,
            headers: headers.clone(),
            timeout: config.timeout,
            flights: Arc::default(),
            mutations,
            telemetry,
        }
    }

    async fn shared(&self, request: FetchRequest, ctx: &RequestContext) -> Response {
        let mut headers = HeaderMap::new();
        self.headers.apply(ctx, &mut headers);
        let headers = headers.iter();
        let asked = Asked {
            text: request.text.clone(),
            variables: request.variables.clone(),
            objects_max: request.objects_max,
            headers: headers
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        };
        let began = Instant::now();
        let until = ctx.deadline.min(began + self.timeout);
        let mut joined = false;
        loop {
            let Some((mut response, is_first)) = self.board(&asked, &request, ctx) else {
                return self.inner.fetch(request, ctx).await;
            };
            joined |= !is_first;
            // Of who is first in its first fetch the guards know the timeout.
            let until = if joined { until } else { ctx.deadline };
            match timeout_at(until, response.wait_for(Option::is_some)).await {
                // It was begun earlier, so it ended earlier than this one must.
                Ok(Ok(landed)) if !is_first && is_late(&landed) && Instant::now() < until => {}
                Ok(Ok(landed)) => return landed.clone().unwrap_or_else(|| Err(broken())),
                Ok(Err(_)) => return Err(broken()),
                Err(_) => return Err(self.late(began)),
            }
        }
    }

    /// Joins a fetch that is on its way, or begins one, and tells which; `None` where so many are that it must go by itself.
    fn board(
        &self,
        asked: &Asked,
        request: &FetchRequest,
        ctx: &RequestContext,
    ) -> Option<(watch::Receiver<Option<Response>>, bool)> {
        let mutations = self.mutations.count();
        let mut flights = self.flights.lock();
        let flight = flights.get(asked);
        if let Some(flight) = flight.filter(|flight| flight.is_for(ctx, mutations)) {
            self.telemetry.fetch_shared(&self.name);
            return Some((flight.response.subscribe(), false));
        }
        if flights.len() >= FLIGHTS_MAX {
            return None;
        }
        let ctx = with_room(ctx);
        let (sender, receiver) = watch::channel(None);
        let flight = Flight {
            response: sender.clone(),
            mutations,
            deadline: ctx.deadline,
            wanted_until: ctx.wanted_until(),
        };
        flights.insert(asked.clone(), flight);
        drop(flights);
        let landing = Landing {
            flights: self.flights.clone(),
            asked: asked.clone(),
            sender,
            response: None,
        };
        let (inner, request) = (self.inner.clone(), request.clone());
        let flying = async move { landing.fly(inner.fetch(request, &ctx)).await };
        #[expect(
            clippy::disallowed_methods,
            reason = "it ends with its last listener, which the drain waits for"
        )]
        tokio::spawn(flying.in_current_span());
        Some((receiver, true))
    }

    /// Whoever leaves because its time is over tells so itself: the fetch may go on for others.
    fn late(&self, began: Instant) -> FetchError {
        let took = began.elapsed();
        let error = FetchError::Timeout(took);
        self.telemetry
            .fetched(&self.name, FetchOutcome::Failed, took);
        self.telemetry.fetch_failed(&self.name, error.reason());
        error
    }
}

/// The context of a fetch that others may join: its deadline is a fourth farther off, for who asks a little later.
fn with_room(ctx: &RequestContext) -> RequestContext {
    let now = Instant::now();
    let farther = |instant: Instant| instant + instant.saturating_duration_since(now) / 4;
    RequestContext {
        deadline: farther(ctx.deadline),
        leaves_at: ctx.leaves_at.map(farther),
        ..ctx.clone()
    }
}

fn is_late(landed: &Option<Response>) -> bool {
    matches!(landed, Some(Err(FetchError::Timeout(_))))
}

/// The task of the fetch died.
fn broken() -> FetchError {
    FetchError::Lost("the fetch ended without a response".to_owned())
}

/// Ends a fetch for all who wait, however it ends: nobody joins it any more, and then all have the response.
struct Landing {
    flights: Arc<Flights>,
    asked: Asked,
    sender: watch::Sender<Option<Response>>,
    response: Option<Response>,
}

impl Landing {
    /// Fetches for as long as somebody waits.
    async fn fly(mut self, mut fetch: BoxFuture<'_, Response>) {
        loop {
            tokio::select! {
                biased;
                response = &mut fetch => {
                    self.response = Some(response);
                    return;
                }
                () = self.sender.closed() => {
                    let mut flights = self.flights.lock();
                    // Somebody may have joined in this moment.
                    if self.sender.receiver_count() == 0 {
                        take_off(&mut flights, &self.asked, &self.sender);
                        return;
                    }
                }
            }
        }
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        take_off(&mut self.flights.lock(), &self.asked, &self.sender);
        if let Some(response) = self.response.take() {
            self.sender.send_replace(Some(response));
        }
    }
}

/// Takes a fetch off the list, where no later one has its place.
fn take_off(
    flights: &mut HashMap<Asked, Flight, RandomState>,
    asked: &Asked,
    sender: &watch::Sender<Option<Response>>,
) {
    let flight = flights.get(asked);
    if flight.is_some_and(|flight| flight.response.same_channel(sender)) {
        flights.remove(asked);
    }
}

impl Subgraph for Coalesced {
    fn fetch<'a>(
        &'a self,
        request: FetchRequest,
        ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Response> {
        let is_shared =
            request.kind == OperationKind::Query && ctx.may_share && ctx.deadline > Instant::now();
        if is_shared {
            Box::pin(self.shared(request, ctx))
        } else {
            self.inner.fetch(request, ctx)
        }
    }

    fn listen<'a>(
        &'a self,
        request: FetchRequest,
        ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Listener, FetchError>> {
        self.inner.listen(request, ctx)
    }
}

#[cfg(test)]
#[path = "coalesced_tests.rs"]
mod tests;
