//! One open stream: a place in the log, no queue. Whoever reads slowly falls behind and loses nothing.

use std::time::Duration;

use ::schema::{
    code::ErrorCode,
    event::{OrderEvent, OrderStatus},
    id::{OrderId, UserId},
};
use chassis::{clock::Clock, fault::Coded};
use chrono::{DateTime, Utc};
use order_stream::{Item, Reader, ResumePoint, Seen};
use tokio_util::sync::CancellationToken;

use super::places::Place;
use crate::{metrics, order::Order};

/// How long the end of a token may be overslept when the clock jumps.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What a stream tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) kind: Kind,
    /// The place just behind it.
    pub(crate) behind: ResumePoint,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The order as it stands.
    Snapshot(State),
    /// One change of its status.
    Change(State),
    /// History is gone.
    Gap,
}

/// An order after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) order: OrderId,
    pub(crate) user: UserId,
    pub(crate) version: u32,
    pub(crate) status: OrderStatus,
    /// When it came to this status.
    pub(crate) at: DateTime<Utc>,
}

/// Why a stream ended that its client did not end: go on behind the last event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Ended {
    #[error("the service is about to stop")]
    Draining,
    #[error("the token has ended")]
    TokenExpired,
}

impl Coded for Ended {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Draining => ErrorCode::ServerDraining,
            Self::TokenExpired => ErrorCode::TokenExpired,
        }
    }
}

/// An open stream; it counts against the limits until it is dropped.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(super) events: Reader,
    /// What the snapshot has shown of events that may yet come.
    pub(super) seen: Option<Seen>,
    pub(super) snapshot: Option<Event>,
    pub(super) stopped: CancellationToken,
    pub(super) clock: Clock,
    pub(super) expires_at: Option<DateTime<Utc>>,
    pub(super) _place: Place,
}

impl Event {
    pub(super) fn snapshot(order: &Order, at: DateTime<Utc>, behind: ResumePoint) -> Self {
        let state = State {
            order: order.id,
            user: order.user_id,
            version: order.version,
            status: order.status,
            at,
        };
        let kind = Kind::Snapshot(state);
        Self { kind, behind }
    }

    fn change(event: &OrderEvent, behind: ResumePoint) -> Self {
        let kind = Kind::Change(State {
            order: event.order_id,
            user: event.user_id,
            version: event.version,
            status: event.status,
            at: event.moment,
        });
        Self { kind, behind }
    }
}

impl Stream {
    /// The place to go on behind. As long as an order's state was not given, whoever goes on there gets it.
    pub(crate) fn place(&self) -> ResumePoint {
        let seen = if self.snapshot.is_some() {
            self.seen.map(|seen| Seen::nothing(seen.entity))
        } else {
            self.seen
        };
        ResumePoint::new(self.events.cursor(), seen)
    }

    /// The next event. Waits as long as there is none, also while the broker is away.
    ///
    /// # Errors
    /// [`Ended`].
    pub(crate) async fn next(&mut self) -> Result<Event, Ended> {
        let (clock, expires_at) = (self.clock.clone(), self.expires_at);
        let stopped = self.stopped.clone();
        tokio::select! {
            biased;
            () = stopped.cancelled() => Err(Ended::Draining),
            () = token_ended(&clock, expires_at) => Err(Ended::TokenExpired),
            event = self.read() => event,
        }
    }

    async fn read(&mut self) -> Result<Event, Ended> {
        if let Some(snapshot) = self.snapshot.take() {
            return Ok(snapshot);
        }
        loop {
            match self.events.next().await.map_err(|_| Ended::Draining)? {
                Item::Event { event, .. } if self.has_shown(&event) => {}
                Item::Event { event, cursor } => {
                    self.seen = self
                        .seen
                        .filter(|seen| !seen.is_passed_by(event.order_id.get(), event.version));
                    return Ok(Event::change(&event, ResumePoint::new(cursor, self.seen)));
                }
                Item::Gap { cursor } => {
                    // It goes on from here, perhaps in another topic, whose versions begin at 1.
                    self.seen = None;
                    return Ok(Event {
                        kind: Kind::Gap,
                        behind: ResumePoint::new(cursor, None),
                    });
                }
            }
        }
    }

    fn has_shown(&self, event: &OrderEvent) -> bool {
        let (order, version) = (event.order_id.get(), event.version);
        self.seen.is_some_and(|seen| seen.covers(order, version))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        metrics::order_stream_closed();
    }
}

/// Resolves when the token has ended.
async fn token_ended(clock: &Clock, expires_at: Option<DateTime<Utc>>) {
    let Some(expires_at) = expires_at else {
        return std::future::pending().await;
    };
    loop {
        let left = (expires_at - clock.now()).to_std().unwrap_or_default();
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(LOOK_AGAIN)).await;
    }
}
