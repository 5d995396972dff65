//! Reads one scope of the log in batches: waits for one event, then takes what else is there.
//!
//! Invariant: the order of the log stays, and only what was taken moves the reader on.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};

use chassis::budget::RateLimitKey;
use futures::FutureExt;
use order_stream::{Caller, Cursor, Item as Read, OrderStream, Reader, Scope, Stopped};
use schema::event::OrderEvent;

/// A reader of one scope.
#[derive(Debug)]
pub(super) struct Source {
    reader: Reader,
}

/// What a reader gets, and the cursor behind it.
#[derive(Debug)]
pub(super) enum Item {
    Event(Arc<OrderEvent>, Cursor),
    Gap(Cursor),
}

impl Source {
    /// A reader whose turns at reading the topic count for the caller of `key`.
    pub(super) fn open(log: &OrderStream, key: &RateLimitKey, scope: Scope, from: Cursor) -> Self {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        Self {
            reader: log.reader(scope, from).of(Caller(hasher.finish())),
        }
    }

    /// The place that the reader has come to: what is before it was taken, or is out of its scope.
    pub(super) fn place(&mut self) -> Cursor {
        self.reader.pass();
        self.reader.cursor()
    }

    /// Waits for one item and takes up to `max` that are there.
    ///
    /// # Errors
    /// [`Stopped`] at shutdown.
    ///
    /// # Cancel safety
    /// Nothing is taken when the future is dropped.
    pub(super) async fn take(&mut self, max: usize) -> Result<Vec<Item>, Stopped> {
        let first = self.reader.next().await?;
        let mut items = vec![first.into()];
        while items.len() < max {
            match self.reader.next().now_or_never() {
                Some(Ok(next)) => items.push(next.into()),
                // What was taken is delivered first; the stop is met again by the next call.
                Some(Err(Stopped)) | None => break,
            }
        }
        Ok(items)
    }
}

impl std::convert::From<Read> for Item {
    fn from(read: Read) -> Self {
        match read {
            Read::Event { event, cursor } => Self::Event(event, cursor),
            Read::Gap { cursor } => Self::Gap(cursor),
        }
    }
}
