//! Readers that wait at the end of the log, by scope, so that an event wakes only those it concerns.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::event::{ByScope, Event};

/// What the readers of one scope share.
#[derive(Debug, Default)]
pub(crate) struct Waiter {
    /// Wakes them.
    pub(crate) news: Notify,
    /// One more than the log position of the last event in scope since the first of them came; 0 before.
    last: AtomicU64,
}

impl Waiter {
    /// Whether an event in scope was logged at `position` or later since this reader joined.
    pub(crate) fn matched_since(&self, position: u64) -> bool {
        self.last.load(Ordering::Acquire) > position
    }
}

/// All scopes that have a reader.
#[derive(Debug)]
pub(crate) struct Waiters<E: Event> {
    scopes: Mutex<ByScope<E::Scope, Arc<Waiter>>>,
}

impl<E: Event> Default for Waiters<E> {
    fn default() -> Self {
        Self {
            scopes: Mutex::default(),
        }
    }
}

impl<E: Event> Waiters<E> {
    /// Registers a reader; from now on its scope's events are noted.
    pub(crate) fn join(&self, scope: &E::Scope) -> Arc<Waiter> {
        self.scopes.lock().entry(scope).clone()
    }

    /// Takes a reader's registration back and forgets a scope without readers.
    pub(crate) fn leave(&self, scope: &E::Scope, waiter: Arc<Waiter>) {
        let mut scopes = self.scopes.lock();
        drop(waiter);
        if scopes
            .get_mut(scope)
            .is_some_and(|left| Arc::strong_count(left) == 1)
        {
            scopes.remove(scope);
        }
    }

    /// Tells the readers of an event that was logged at `position`.
    pub(crate) fn announce(&self, event: &E, position: u64) {
        self.scopes.lock().visit(event, |waiter| {
            waiter.last.store(position + 1, Ordering::Release);
            waiter.news.notify_waiters();
        });
    }

    /// Wakes everybody: the log was started over, or stops.
    pub(crate) fn wake_all(&self) {
        for waiter in self.scopes.lock().values() {
            waiter.news.notify_waiters();
        }
    }

    /// Scopes that have a reader.
    pub(crate) fn len(&self) -> usize {
        self.scopes.lock().len()
    }
}
