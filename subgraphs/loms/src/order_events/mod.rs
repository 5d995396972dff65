//! Changes of orders as they happen, for clients of gRPC: the graph's live streams, with the same cursors.
//!
//! In: whose changes, from where on, and who asks. Out: events, each with the place just behind it, and one end. `places`
//! bounds how many are open, `stream` is one of them, `grpc` decodes and encodes. The log of the topic is followed from the
//! first call on: a process that nobody asks costs nothing.
//! Invariants: who may read is decided before anything is read, by the owner in the order and in the event; the log's end is
//! taken before an order is read, so no change is missed or told twice. Source: docs/contracts.md §3.

pub(crate) mod grpc;
mod places;
mod stream;

use std::sync::{Arc, OnceLock};

use ::schema::{
    code::ErrorCode,
    id::{OrderId, UserId},
};
use chassis::{
    budget::RateLimitKey, clock::Clock, fault::Coded, health::Health, kafka, principal::Denied,
    tasks::Tasks,
};
use chrono::{DateTime, Utc};
use order_stream::{OrderStream, ResumePoint, Scope, Seen, Unavailable};

use self::places::{Full, Places};
pub(crate) use self::stream::{Ended, Event, Kind, Stream};
use crate::{
    access::Access,
    config::Config,
    metrics,
    order::{self, Order, Orders},
};

/// Whose changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Order(OrderId),
    User(UserId),
    Everybody,
}

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    pub(crate) access: Access,
    /// Whose share of the open streams it takes.
    pub(crate) key: RateLimitKey,
    /// When its token ends; `None` for a caller without one.
    pub(crate) expires_at: Option<DateTime<Utc>>,
}

/// Why a stream is not opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Somebody else's order, or none.
    #[error("no such order")]
    NoOrder,
    /// Another user's orders, or everybody's.
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Full(#[from] Full),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    #[error(transparent)]
    Order(#[from] order::Error),
}

impl Coded for Error {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoOrder => ErrorCode::NotFound,
            Self::Denied(denied) => denied.code(),
            Self::Full(full) => full.code(),
            Self::Unavailable(_) => ErrorCode::Unavailable,
            Self::Order(error) => error.code(),
        }
    }
}

/// Opens streams. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct OrderEvents(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    log: OnceLock<OrderStream>,
    config: order_stream::Config,
    kafka: kafka::Config,
    orders: Orders,
    places: Arc<Places>,
    clock: Clock,
    tasks: Tasks,
}

impl OrderEvents {
    pub(crate) fn new(
        config: &Config,
        kafka: kafka::Config,
        orders: Orders,
        clock: Clock,
        tasks: &Tasks,
    ) -> Self {
        let places = Places::new(
            config.order_streams_max,
            config.order_streams_per_caller_max,
        );
        Self(Arc::new(Shared {
            log: OnceLock::new(),
            config: config.order_stream.clone(),
            kafka,
            orders,
            places,
            clock,
            tasks: tasks.clone(),
        }))
    }

    /// Opens a stream behind `resume`, or from now on; one order's then begins with its state.
    ///
    /// # Errors
    /// [`Error`] says what is refused, or what is out of reach.
    pub(crate) async fn open(
        &self,
        reader: Reader,
        wanted: Wanted,
        resume: Option<ResumePoint>,
    ) -> Result<Stream, Error> {
        let scope = scope(reader.access, wanted)?;
        let place = self.0.places.take(reader.key)?;
        let (start, snapshot) = self.start(reader.access, wanted, resume).await?;
        metrics::order_stream_opened();
        Ok(Stream {
            events: self.log().reader(scope, start.cursor),
            seen: start.seen,
            snapshot,
            stopped: self.0.tasks.token(),
            clock: self.0.clock.clone(),
            expires_at: reader.expires_at,
            _place: place,
        })
    }

    /// Where the stream begins, and the state that comes before its events.
    async fn start(
        &self,
        access: Access,
        wanted: Wanted,
        resume: Option<ResumePoint>,
    ) -> Result<(ResumePoint, Option<Event>), Error> {
        let from = match (resume, wanted) {
            (Some(point), Wanted::Order(id)) if point.shows_nothing_of(id.get()) => point.cursor,
            (Some(point), _) => {
                if let Wanted::Order(id) = wanted {
                    self.find(access, id).await?;
                }
                // The broker may be away: the stream waits for it, or reads on in the log.
                return Ok((point, None));
            }
            // The end is taken before the order is read: see the invariants above.
            (None, _) => self.log().end_cursor().await?,
        };
        let Wanted::Order(id) = wanted else {
            return Ok((ResumePoint::new(from, None), None));
        };
        let order = self.find(access, id).await?;
        let history = self.0.orders.history(&[id]).await?.remove(&id);
        let mut changes = history.unwrap_or_default().into_iter();
        let change = changes.rfind(|change| change.version == order.version);
        let seen = Seen::of(id.get(), order.version);
        let point = ResumePoint::new(from, Some(seen));
        let at = change.map_or(order.created_at, |change| change.at);
        let event = Event::snapshot(&order, at, point.clone());
        Ok((point, Some(event)))
    }

    async fn find(&self, access: Access, id: OrderId) -> Result<Order, Error> {
        let found = self.0.orders.find(access, id).await?;
        found.ok_or(Error::NoOrder)
    }

    fn log(&self) -> &OrderStream {
        let Shared {
            config,
            kafka,
            tasks,
            ..
        } = &*self.0;
        // Not the service's health: orders are made and read without a broker, so its loss takes nobody else's calls away.
        let health = Health::new();
        self.0
            .log
            .get_or_init(|| OrderStream::start(config.clone(), kafka.clone(), tasks, &health))
    }
}

/// What of the log the caller may read. One order's owner is asked for in the database.
fn scope(access: Access, wanted: Wanted) -> Result<Scope, Denied> {
    match wanted {
        Wanted::Order(order) => Ok(Scope::Order(order)),
        Wanted::User(user) if access.covers(user) => Ok(Scope::of_user(user)),
        Wanted::Everybody if access == Access::Everybody => Ok(Scope::ALL),
        Wanted::User(_) | Wanted::Everybody => Err(Denied::Forbidden),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_reads_the_own_orders_and_operators_everything() {
        let user = |id: i64| UserId::try_from(id).unwrap();
        let owner = Access::Owner(user(1));
        let mine = scope(owner, Wanted::User(user(1)));
        assert_eq!(mine, Ok(Scope::of_user(user(1))));
        for foreign in [Wanted::User(user(2)), Wanted::Everybody] {
            assert_eq!(scope(owner, foreign), Err(Denied::Forbidden));
            assert!(scope(Access::Everybody, foreign).is_ok());
        }
    }
}
