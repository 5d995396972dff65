//! How many streams are open, of one caller and in all.
//!
//! Invariant: a place is given back when its stream is dropped, however it ended.

use std::{collections::HashMap, sync::Arc};

use ::schema::code::ErrorCode;
use chassis::{budget::RateLimitKey, fault::Coded};
use parking_lot::Mutex;

/// A limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    #[error("the service has {0} streams open, as many as it may (loms.order_streams_max)")]
    Service(usize),
    #[error(
        "the caller has {0} streams open, as many as one may (loms.order_streams_per_caller_max)"
    )]
    Caller(usize),
}

impl Coded for Full {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Service(_) => ErrorCode::Overloaded,
            Self::Caller(_) => ErrorCode::RateLimited,
        }
    }
}

/// The places for streams.
#[derive(Debug)]
pub(super) struct Places {
    max: usize,
    per_caller_max: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_caller: HashMap<RateLimitKey, usize>,
}

/// The right to one stream.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    key: RateLimitKey,
}

impl Places {
    pub(super) fn new(max: usize, per_caller_max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            per_caller_max,
            taken: Mutex::default(),
        })
    }

    /// Takes one more place.
    ///
    /// # Errors
    /// [`Full`], with the limit that is reached.
    pub(super) fn take(self: &Arc<Self>, key: RateLimitKey) -> Result<Place, Full> {
        let mut taken = self.taken.lock();
        if taken.total >= self.max {
            return Err(Full::Service(self.max));
        }
        let held = taken.by_caller.entry(key.clone()).or_default();
        if *held >= self.per_caller_max {
            return Err(Full::Caller(self.per_caller_max));
        }
        *held += 1;
        taken.total += 1;
        Ok(Place {
            places: Arc::clone(self),
            key,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock();
        taken.total = taken.total.saturating_sub(1);
        if let Some(held) = taken.by_caller.get_mut(&self.key) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                taken.by_caller.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ::schema::id::UserId;

    use super::*;

    #[test]
    fn a_dropped_stream_gives_its_place_back() {
        let places = Places::new(2, 1);
        let [a, b, c] = [1_i64, 2, 3].map(|id| RateLimitKey::User(UserId::try_from(id).unwrap()));
        let first = places.take(a.clone()).unwrap();
        assert_eq!(places.take(a.clone()).unwrap_err(), Full::Caller(1));
        let _second = places.take(b).unwrap();
        assert_eq!(places.take(c.clone()).unwrap_err(), Full::Service(2));
        drop(first);
        assert!(places.take(c).is_ok());
        assert!(places.take(a).is_ok(), "a refusal leaves nothing behind");
    }
}
