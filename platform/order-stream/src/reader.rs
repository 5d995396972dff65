//! One subscriber's way through the stream: a scope and a place, no queue.
//!
//! A reader holds a position in the shared log, so however slow it is, nothing is dropped for it: it falls
//! behind, then reads from the topic, and only when the topic has lost what it needs it gets a gap.

use std::sync::Arc;

use schema::event::OrderEvent;
use tokio_util::sync::DropGuard;

use crate::{
    cursor::Cursor,
    event::Event,
    log::{Polled, Position},
    replay::{Ended, Replay, Replayed},
    shared::{Caller, Resumed, Shared, Stopped},
    waiters::Waiter,
};

/// What a reader gets.
#[derive(Debug, Clone)]
pub enum Item<E = OrderEvent> {
    /// A change in scope.
    Event {
        /// The change.
        event: Arc<E>,
        /// The place after it.
        cursor: Cursor,
    },
    /// What stood between the reader's place and `cursor` is gone (retention, another topic, a place past the
    /// end): read the state again, then go on. Nothing after `cursor` is missing.
    Gap {
        /// The place where the reader goes on.
        cursor: Cursor,
    },
}

#[derive(Debug)]
enum State<E> {
    /// At `Reader::cursor`, not yet looked up.
    Resume,
    Log(Position),
    Replay(Box<Replay<E>>),
}

/// A subscriber's place in the stream. See [`crate::EventStream::reader`].
#[derive(Debug)]
pub struct Reader<E: Event = OrderEvent> {
    shared: Arc<Shared<E>>,
    /// The topic is followed as long as somebody reads it.
    _followed: Arc<DropGuard>,
    caller: Caller,
    scope: E::Scope,
    waiter: Option<Arc<Waiter>>,
    /// All below it was delivered or is out of scope.
    cursor: Cursor,
    state: State<E>,
}

impl<E: Event> Reader<E> {
    pub(crate) fn new(
        shared: Arc<Shared<E>>,
        followed: Arc<DropGuard>,
        scope: E::Scope,
        cursor: Cursor,
    ) -> Self {
        let waiter = Some(shared.waiters.join(&scope));
        let scopes = i64::try_from(shared.waiters.len()).unwrap_or(i64::MAX);
        shared.metrics.scopes.set(scopes);
        Self {
            shared,
            _followed: followed,
            caller: Caller::default(),
            scope,
            waiter,
            cursor,
            state: State::Resume,
        }
    }

    /// The same reader, whose turns at reading the topic count against the share of `caller`.
    #[must_use]
    pub const fn of(mut self, caller: Caller) -> Self {
        self.caller = caller;
        self
    }

    /// The reader's place: all in scope before it was delivered.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        self.cursor.clone()
    }

    /// Moves the place past what is logged and out of scope, without waiting. An event in scope stays to be read.
    pub fn pass(&mut self) {
        let (State::Log(position), Some(waiter)) = (&mut self.state, &self.waiter) else {
            return;
        };
        let mut ahead = position.clone();
        let polled = self.shared.log.read().poll(&self.scope, &mut ahead, waiter);
        if let Polled::AtEnd(cursor) = polled {
            *position = ahead;
            self.cursor = cursor;
        }
    }

    /// The next event in scope, or a gap. Waits as long as there is none, also while the broker is away.
    ///
    /// # Errors
    /// [`Stopped`] when the process drains.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: the place moves only when an item is returned or passed.
    pub async fn next(&mut self) -> Result<Item<E>, Stopped> {
        loop {
            let item = match &mut self.state {
                // What these take is not held by a reader that waits at the end of the log, as nearly all do.
                State::Resume => Box::pin(self.resume()).await?,
                State::Replay(_) => Box::pin(self.follow_replay()).await?,
                State::Log(_) => self.follow_log().await?,
            };
            if let Some(item) = item {
                return Ok(item);
            }
        }
    }

    async fn resume(&mut self) -> Result<Option<Item<E>>, Stopped> {
        let resumed = self.shared.resume(self.caller, &self.scope, &self.cursor);
        match resumed.await? {
            Resumed::Log(position) => self.state = State::Log(position),
            Resumed::Replay(replay) => self.state = State::Replay(Box::new(replay)),
            Resumed::Gap => return Ok(Some(self.gap())),
        }
        Ok(None)
    }

    async fn follow_log(&mut self) -> Result<Option<Item<E>>, Stopped> {
        let (State::Log(position), Some(waiter)) = (&mut self.state, &self.waiter) else {
            return Ok(None);
        };
        // Registered before the look, so that an event between the look and the wait is not missed.
        let news = waiter.news.notified();
        tokio::pin!(news);
        news.as_mut().enable();
        match self.shared.log.read().poll(&self.scope, position, waiter) {
            Polled::Event(event, cursor) => {
                self.cursor = cursor.clone();
                return Ok(Some(Item::Event { event, cursor }));
            }
            Polled::AtEnd(cursor) => self.cursor = cursor,
            Polled::Lost => {
                self.state = State::Resume;
                return Ok(None);
            }
        }
        self.shared.unless_stopped(news).await?;
        Ok(None)
    }

    async fn follow_replay(&mut self) -> Result<Option<Item<E>>, Stopped> {
        let State::Replay(replay) = &mut self.state else {
            return Ok(None);
        };
        let replayed = self.shared.unless_stopped(replay.next()).await?;
        match replayed.ok_or(Stopped)? {
            Replayed::Event(event, cursor) => {
                self.cursor = cursor.clone();
                Ok(Some(Item::Event { event, cursor }))
            }
            Replayed::Ended(Ended::At(cursor)) => {
                self.cursor = cursor;
                self.state = State::Resume;
                Ok(None)
            }
            Replayed::Ended(Ended::Gone) => Ok(Some(self.gap())),
        }
    }

    /// Moves to the end of the log and says so.
    fn gap(&mut self) -> Item<E> {
        self.shared.metrics.gaps.inc();
        let cursor = self.shared.log.read().end();
        self.cursor = cursor.clone();
        self.state = State::Resume;
        Item::Gap { cursor }
    }
}

impl<E: Event> Drop for Reader<E> {
    fn drop(&mut self) {
        if let Some(waiter) = self.waiter.take() {
            self.shared.waiters.leave(&self.scope, waiter);
        }
    }
}
