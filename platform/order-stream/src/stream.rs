//! The handle of the stream: starts the tail and makes readers.

use std::sync::Arc;

use chassis::{health::Health, kafka, tasks::Tasks};
use schema::event::OrderEvent;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    bounds::{BoundsQuery, Unavailable},
    config::Config,
    cursor::Cursor,
    event::Event,
    reader::Reader,
    shared::Shared,
    tail,
};

/// The order-event stream of this process.
pub type OrderStream = EventStream<OrderEvent>;

/// The stream of one topic's events in this process. Cheap to clone.
/// The topic is followed until the last handle and the last of its readers are dropped.
#[derive(Debug, Clone)]
pub struct EventStream<E: Event> {
    shared: Arc<Shared<E>>,
    followed: Arc<DropGuard>,
}

impl<E: Event> EventStream<E> {
    /// Starts to follow the topic of `kafka`. The broker may be away: readers wait, and the health component `order-stream` says why.
    #[must_use]
    pub fn start(config: Config, kafka: kafka::Config, tasks: &Tasks, health: &Health) -> Self {
        Self::reading(E::Reading::default(), config, kafka, tasks, health)
    }

    /// The same of a topic whose messages are read as `reading` says.
    #[must_use]
    pub fn reading(
        reading: E::Reading,
        config: Config,
        kafka: kafka::Config,
        tasks: &Tasks,
        health: &Health,
    ) -> Self {
        let (bounds, answering) = BoundsQuery::new(kafka.clone(), config.end_timeout);
        let shared = Arc::new(Shared::new(config, kafka, reading, bounds, tasks));
        let stopped = tasks.token().child_token();
        tasks.spawn("order-stream bounds", until(stopped.clone(), answering));
        let following = tail::run(shared.clone(), health.companion("order-stream"));
        tasks.spawn("order-stream tail", until(stopped.clone(), following));
        Self {
            shared,
            followed: Arc::new(stopped.drop_guard()),
        }
    }

    /// The end of the stream: every event that the broker had acknowledged before this call is below it.
    ///
    /// # Errors
    /// [`Unavailable`] when the broker does not answer within the configured time, or the topic has not been
    /// caught up with yet.
    pub async fn end_cursor(&self) -> Result<Cursor, Unavailable> {
        let shared = &self.shared;
        tokio::time::timeout(shared.config.end_timeout, async {
            shared.live().await.map_err(|_| Unavailable::NotReady)?;
            let bounds = shared.bounds.ask().await?;
            let is_nameless = shared.log.read().epoch().is_nil();
            if is_nameless && bounds.high.iter().any(|end| *end > 0) {
                // The topic's first events are not read yet, and with them its epoch. A place without one would
                // be taken for a place in any later topic, and what that has before it would be passed over.
                let caught_up = shared.catch_up(&bounds).await;
                caught_up.map_err(|_| Unavailable::NotReady)?;
            }
            Ok(Cursor::new(shared.log.read().epoch(), &bounds.high))
        })
        .await
        .map_err(|_| Unavailable::NotReady)?
    }

    /// How far this process has read the topic: at or before its end, without a question to the broker. `None` until it has
    /// caught up once.
    #[must_use]
    pub fn reached(&self) -> Option<Cursor> {
        let log = self.shared.log.read();
        let reached = log.end();
        // A place in a topic whose name is not known yet would be taken for one in any later topic.
        let is_nameless =
            reached.epoch().is_nil() && reached.offsets().iter().any(|next| *next > 0);
        (log.is_live() && !is_nameless).then_some(reached)
    }

    /// A reader of the events in scope after everything that the cursor's holder has seen. It costs a registration and
    /// no queue. A caller that also reads state elsewhere takes [`EventStream::end_cursor`] first, then the state, and
    /// begins at that cursor.
    #[must_use]
    pub fn reader(&self, scope: E::Scope, from: Cursor) -> Reader<E> {
        Reader::new(self.shared.clone(), Arc::clone(&self.followed), scope, from)
    }
}

async fn until(token: CancellationToken, work: impl Future<Output = ()>) {
    tokio::select! {
        () = token.cancelled() => {}
        () = work => {}
    }
}
