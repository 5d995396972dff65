//! Reads one scope of the log in batches: waits for one event, then takes what else is there.
//!
//! Invariant: the order of the log stays, and only what was taken moves the reader on.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};

use chassis::budget::RateLimitKey;
use futures::FutureExt;
use order_stream::{Caller, Cursor, Event, Item as Read, Reader, Stopped, TopicEvent};
use schema::event::OrderEvent;

/// A reader of one scope.
#[derive(Debug)]
pub(super) enum Source {
    Orders(Reader),
    Topic(Reader<TopicEvent>),
}

/// One event of either kind.
#[derive(Debug)]
pub(super) enum Change {
    Order(Arc<OrderEvent>),
    Topic(Arc<TopicEvent>),
}

/// What a reader gets, and the cursor behind it.
#[derive(Debug)]
pub(super) enum Item {
    Event(Change, Cursor),
    Gap(Cursor),
}

/// Whom a reader's turns at reading a topic count for.
pub(super) fn caller(key: &RateLimitKey) -> Caller {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    Caller(hasher.finish())
}

impl Source {
    /// The place that the reader has come to: what is before it was taken, or is out of its scope.
    pub(super) fn place(&mut self) -> Cursor {
        match self {
            Self::Orders(reader) => {
                reader.pass();
                reader.cursor()
            }
            Self::Topic(reader) => {
                reader.pass();
                reader.cursor()
            }
        }
    }

    /// Waits for one item and takes up to `max` that are there.
    ///
    /// # Errors
    /// [`Stopped`] at shutdown.
    ///
    /// # Cancel safety
    /// Nothing is taken when the future is dropped.
    pub(super) async fn take(&mut self, max: usize) -> Result<Vec<Item>, Stopped> {
        match self {
            Self::Orders(reader) => take(reader, max, Change::Order).await,
            Self::Topic(reader) => take(reader, max, Change::Topic).await,
        }
    }
}

async fn take<E: Event>(
    reader: &mut Reader<E>,
    max: usize,
    change: impl Fn(Arc<E>) -> Change,
) -> Result<Vec<Item>, Stopped> {
    let item = |read| match read {
        Read::Event { event, cursor } => Item::Event(change(event), cursor),
        Read::Gap { cursor } => Item::Gap(cursor),
    };
    let first = reader.next().await?;
    let mut items = vec![item(first)];
    while items.len() < max {
        match reader.next().now_or_never() {
            Some(Ok(next)) => items.push(item(next)),
            // What was taken is delivered first; the stop is met again by the next call.
            Some(Err(Stopped)) | None => break,
        }
    }
    Ok(items)
}
