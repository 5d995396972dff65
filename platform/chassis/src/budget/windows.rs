//! What each caller has spent in its window of time.
//!
//! In shards, so that callers rarely wait for each other; a shard forgets windows that have ended once a window's length, so
//! a charge costs the same with ten callers and with a hundred thousand. Invariant: a process keeps a bounded number of
//! windows; callers beyond it share one.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

use chrono::{DateTime, Utc};
use parking_lot::Mutex;

use super::key::RateLimitKey;

const SHARDS: usize = 64;
/// About 100 bytes each.
const WINDOWS_MAX: usize = 1_000_000;

/// What one caller has spent, until when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) ends_at: DateTime<Utc>,
    pub(super) spent: u64,
}

#[derive(Debug)]
struct Shard {
    windows: HashMap<RateLimitKey, Window>,
    sweep_at: DateTime<Utc>,
}

/// The windows of all callers.
#[derive(Debug)]
pub(super) struct Windows {
    length: Duration,
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

impl Windows {
    /// Windows of `length`.
    pub(super) fn new(length: Duration) -> Self {
        let shard = |_| {
            Mutex::new(Shard {
                windows: HashMap::new(),
                sweep_at: DateTime::<Utc>::MIN_UTC,
            })
        };
        Self {
            length,
            hasher: RandomState::new(),
            shards: std::array::from_fn(shard),
        }
    }

    /// Lets `spend` look at and change the caller's window at `now`.
    pub(super) fn with<T>(
        &self,
        key: RateLimitKey,
        now: DateTime<Utc>,
        spend: impl FnOnce(&mut Window) -> T,
    ) -> T {
        let hash = self.hasher.hash_one(&key);
        let position = usize::try_from(hash % SHARDS as u64).unwrap_or_default();
        let mut shard = self.shards[position].lock();
        if shard.sweep_at <= now {
            shard.windows.retain(|_, window| window.ends_at > now);
            shard.sweep_at = now + self.length;
        }
        let is_full = shard.windows.len() >= WINDOWS_MAX / SHARDS;
        let key = if is_full && !shard.windows.contains_key(&key) {
            RateLimitKey::Address(None)
        } else {
            key
        };
        let fresh = Window {
            ends_at: now + self.length,
            spent: 0,
        };
        let window = shard.windows.entry(key).or_insert(fresh);
        if window.ends_at <= now {
            *window = fresh;
        }
        spend(window)
    }
}

#[cfg(test)]
mod tests {
    use schema::id::UserId;

    use super::*;

    /// Seen red without the sweep.
    #[test]
    fn windows_that_have_ended_are_forgotten() {
        let length = Duration::from_secs(60);
        let windows = Windows::new(length);
        let user = |id: i64| RateLimitKey::User(UserId::try_from(id).unwrap());
        let kept = |windows: &Windows| -> usize {
            let shards = windows.shards.iter();
            shards.map(|shard| shard.lock().windows.len()).sum()
        };
        let mut now = DateTime::UNIX_EPOCH;
        for id in 1..=10_000 {
            windows.with(user(id), now, |window| window.spent += 1);
        }
        assert_eq!(kept(&windows), 10_000);
        now += length;
        for id in 1..=1_000 {
            assert_eq!(windows.with(user(id), now, |window| window.spent), 0);
        }
        assert_eq!(kept(&windows), 1_000);
    }
}
