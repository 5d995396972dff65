//! Faults on demand: the answers of a product service that is slow, overloaded or broken, so that its callers can be
//! watched while it is.
//!
//! Off by default. What happens to a request depends on its number alone, counted from when the faults were set, so a
//! test knows which requests fail. `PUT /faults` changes them while the service runs and starts the count again; the
//! route is there only when the service was started with `product.faults.enabled` or `product.fault_switch_enabled`. Source: docs/contracts.md §2.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{Request, State, rejection::JsonRejection},
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::error::Refusal;

/// The size of one piece of a huge body.
const PIECE_BYTES: usize = 64 * 1024;
/// The pieces of a huge body: 16 MiB.
const PIECES: usize = 256;

/// Which requests for products are answered wrongly. `*_every: n` means each n-th request, 1 all of them and 0 none;
/// of several that meet on one request the first in this list happens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Whether faults happen at all.
    pub enabled: bool,
    /// Only the first so many requests are touched; 0: all.
    pub first: u64,
    /// How long each answer is held back, also a right one.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::MayBeZero")]
    pub latency: Duration,
    /// No answer ever.
    pub hang_every: u64,
    /// Status 500.
    pub status_500_every: u64,
    /// Status 429, "too many requests".
    pub status_429_every: u64,
    /// Status 420, the older service's 429.
    pub status_420_every: u64,
    /// Status 200 with JSON that breaks off.
    pub malformed_every: u64,
    /// Status 200 with JSON of 16 MiB.
    pub huge_every: u64,
}

/// What happens to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Hang,
    Status(u16),
    Malformed,
    Huge,
}

impl Faults {
    /// The fault of the request with this number; the first is 1.
    fn of(&self, number: u64) -> Option<Fault> {
        let due = |every: u64| every > 0 && number.is_multiple_of(every);
        let faults = [
            (self.hang_every, Fault::Hang),
            (self.status_500_every, Fault::Status(500)),
            (self.status_429_every, Fault::Status(429)),
            (self.status_420_every, Fault::Status(420)),
            (self.malformed_every, Fault::Malformed),
            (self.huge_every, Fault::Huge),
        ];
        let found = faults.into_iter().find(|(every, _)| due(*every));
        found
            .filter(|_| self.touches(number))
            .map(|(_, fault)| fault)
    }

    fn touches(&self, number: u64) -> bool {
        self.enabled && (self.first == 0 || number <= self.first)
    }
}

/// The faults in force and the number of requests since they were set. Clones share both.
#[derive(Debug, Clone)]
pub(crate) struct Injector {
    state: Arc<Mutex<Injected>>,
    /// Ends requests that hang.
    stop: CancellationToken,
}

/// What `GET` and `PUT /faults` answer.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Injected {
    faults: Faults,
    requests: u64,
}

impl Injector {
    pub(crate) fn new(faults: Faults, stop: CancellationToken) -> Self {
        let state = Injected {
            faults,
            requests: 0,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            stop,
        }
    }

    fn state(&self) -> MutexGuard<'_, Injected> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request. Returns how long its response is delayed and which fault it has.
    fn next(&self) -> (Duration, Option<Fault>) {
        let mut state = self.state();
        state.requests += 1;
        let number = state.requests;
        let latency = if state.faults.touches(number) {
            state.faults.latency
        } else {
            Duration::ZERO
        };
        (latency, state.faults.of(number))
    }
}

/// Stands between callers and the product routes.
pub(crate) async fn inject(
    State(injector): State<Injector>,
    request: Request,
    next: Next,
) -> Response {
    let (latency, fault) = injector.next();
    if !latency.is_zero() {
        tokio::select! {
            () = tokio::time::sleep(latency) => {}
            () = injector.stop.cancelled() => {}
        }
    }
    match fault {
        None => next.run(request).await,
        Some(Fault::Hang) => {
            injector.stop.cancelled().await;
            Refusal::Injected(503).into_response()
        }
        Some(Fault::Status(status)) => Refusal::Injected(status).into_response(),
        Some(Fault::Malformed) => json(r#"{"sku":1076963,"name":"#),
        Some(Fault::Huge) => json(huge()),
    }
}

/// The faults in force.
pub(crate) async fn show(State(injector): State<Injector>) -> Json<Injected> {
    Json(injector.state().clone())
}

/// Puts other faults in force; what is left out is off.
pub(crate) async fn set(
    State(injector): State<Injector>,
    faults: Result<Json<Faults>, JsonRejection>,
) -> Result<Json<Injected>, Refusal> {
    let Json(faults) = faults.map_err(|error| Refusal::BadFaults(error.body_text()))?;
    warn(&faults);
    let mut state = injector.state();
    *state = Injected {
        faults,
        requests: 0,
    };
    Ok(Json(state.clone()))
}

/// Says that answers cannot be believed from now on.
pub(crate) fn warn(faults: &Faults) {
    if faults.enabled {
        tracing::warn!(
            ?faults,
            "the product service may answer wrongly on purpose: product.faults.enabled is set"
        );
    } else {
        tracing::info!("the product service answers rightly again");
    }
}

fn json(body: impl Into<Body>) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (StatusCode::OK, kind, body.into()).into_response()
}

/// A product whose name does not end for 16 MiB; made piece by piece, so it costs this process nothing.
fn huge() -> Body {
    let head = Bytes::from_static(br#"{"sku":1076963,"price":3379,"name":""#);
    let piece = Bytes::from(vec![b'x'; PIECE_BYTES]);
    let tail = Bytes::from_static(br#""}"#);
    let pieces = stream::iter([head])
        .chain(stream::repeat(piece).take(PIECES))
        .chain(stream::iter([tail]));
    Body::from_stream(pieces.map(Ok::<_, Infallible>))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_depends_on_the_request_s_number_alone() {
        let faults = Faults {
            enabled: true,
            first: 6,
            status_500_every: 2,
            status_429_every: 3,
            ..Faults::default()
        };
        let happened: Vec<_> = (1..=8).map(|number| faults.of(number)).collect();
        let (broken, busy) = (Some(Fault::Status(500)), Some(Fault::Status(429)));
        assert_eq!(
            happened,
            [None, broken, busy, broken, None, broken, None, None]
        );
        let off = Faults {
            enabled: false,
            ..faults
        };
        assert!((1..=8).all(|number| off.of(number).is_none()));
    }
}
