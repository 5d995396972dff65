//! A bounded number of places for all, of which one caller has at most a share: whoever wants many waits for its own, and
//! never stands before the others.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Above this many callers, those that hold and want no place are forgotten.
const SWEEP_ABOVE: usize = 1_024;

/// The places.
#[derive(Debug)]
pub struct Places<K> {
    all: Arc<Semaphore>,
    share: usize,
    callers: Mutex<HashMap<K, Weak<Semaphore>>>,
}

/// One place; dropped, it is free again.
#[derive(Debug)]
pub struct Place {
    // Fields drop in this order: the place for all is free before the caller may ask for another.
    _all: OwnedSemaphorePermit,
    _own: OwnedSemaphorePermit,
    /// Keeps the caller's share alive while one of its places is held.
    _share: Arc<Semaphore>,
}

impl<K: Hash + Eq + Clone> Places<K> {
    /// `total` places, of which one caller holds at most `share`; 0 counts as 1.
    #[must_use]
    pub fn new(total: usize, share: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(total.max(1))),
            share: share.max(1),
            callers: Mutex::default(),
        }
    }

    /// Waits for a place: first within the caller's share, then among all, each in the order of asking.
    ///
    /// # Cancel safety
    /// Dropped while it waits, it holds none.
    pub async fn take(&self, caller: &K) -> Place {
        let share = self.share_of(caller);
        let own = Arc::clone(&share).acquire_owned().await;
        let all = Arc::clone(&self.all).acquire_owned().await;
        Place {
            _all: all.expect("the semaphore is never closed"),
            _own: own.expect("the semaphore is never closed"),
            _share: share,
        }
    }

    fn share_of(&self, caller: &K) -> Arc<Semaphore> {
        let mut callers = self.callers.lock();
        if let Some(share) = callers.get(caller).and_then(Weak::upgrade) {
            return share;
        }
        if callers.len() > SWEEP_ABOVE {
            callers.retain(|_, share| share.strong_count() > 0);
        }
        let share = Arc::new(Semaphore::new(self.share));
        callers.insert(caller.clone(), Arc::downgrade(&share));
        share
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn one_who_wants_many_does_not_stand_before_another() {
        let places = Places::new(4, 2);
        let held = [places.take(&"a").await, places.take(&"a").await];
        let mut waiting: Vec<_> = (0..100).map(|_| Box::pin(places.take(&"a"))).collect();
        assert!(waiting.iter_mut().all(|ask| ask.now_or_never().is_none()));
        let other = places.take(&"b").now_or_never();
        assert!(other.is_some(), "half of the places are free for others");
        drop(held);
        assert!(waiting[0].as_mut().now_or_never().is_some());
    }

    #[tokio::test]
    async fn callers_that_have_gone_are_forgotten() {
        let places = Places::new(4, 2);
        for caller in 0..SWEEP_ABOVE * 3 {
            drop(places.take(&caller).await);
        }
        assert!(places.callers.lock().len() <= SWEEP_ABOVE + 1);
    }
}
