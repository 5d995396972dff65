//! How many streams are open, of one caller and in all.
//!
//! Invariant: a permit is given back when its stream is dropped, however it ended.

use std::{collections::HashMap, sync::Arc};

use chassis::budget::RateLimitKey;
use parking_lot::Mutex;
use schema::code::ErrorCode;

use crate::error::{PER_CALLER_MAX, RETRY_AFTER_SECONDS, RequestError};

/// Counts open streams against their limits.
#[derive(Debug)]
pub(crate) struct StreamLimits {
    per_caller_max: usize,
    total_max: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_key: HashMap<RateLimitKey, usize>,
}

/// The right to one stream.
#[derive(Debug)]
pub(crate) struct StreamPermit {
    limits: Arc<StreamLimits>,
    key: RateLimitKey,
}

impl StreamLimits {
    pub(crate) fn new(per_caller_max: usize, total_max: usize) -> Arc<Self> {
        Arc::new(Self {
            per_caller_max,
            total_max,
            open: Mutex::default(),
        })
    }

    /// Counts one more stream.
    ///
    /// # Errors
    /// `OVERLOADED`, with the limit's name, when the caller or the process holds as many as it may.
    pub(crate) fn admit(self: &Arc<Self>, key: RateLimitKey) -> Result<StreamPermit, RequestError> {
        let mut open = self.open.lock();
        if open.total >= self.total_max {
            return Err(full(
                "streams of this server",
                "stream.total_max",
                self.total_max,
            ));
        }
        let held = open.by_key.entry(key.clone()).or_default();
        if *held >= self.per_caller_max {
            return Err(full(
                "streams of one caller",
                PER_CALLER_MAX,
                self.per_caller_max,
            ));
        }
        *held += 1;
        open.total += 1;
        Ok(StreamPermit {
            limits: Arc::clone(self),
            key,
        })
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        let mut open = self.limits.open.lock();
        open.total = open.total.saturating_sub(1);
        if let Some(held) = open.by_key.get_mut(&self.key) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                open.by_key.remove(&self.key);
            }
        }
    }
}

fn full(what: &str, limit: &str, max: usize) -> RequestError {
    let message = format!("{what} are at their limit of {max}");
    RequestError::new(ErrorCode::Overloaded, message)
        .with("limit", limit)
        .with(RETRY_AFTER_SECONDS, 1)
}

#[cfg(test)]
mod tests {
    use schema::id::UserId;

    use super::*;

    #[test]
    fn a_dropped_stream_gives_its_place_back() {
        let limits = StreamLimits::new(1, 2);
        let [a, b, c] = [1_i64, 2, 3].map(|id| RateLimitKey::User(UserId::try_from(id).unwrap()));
        let first = limits.admit(a.clone()).unwrap();
        assert_eq!(
            limits.admit(a.clone()).unwrap_err().code(),
            ErrorCode::Overloaded
        );
        let _second = limits.admit(b).unwrap();
        assert!(limits.admit(c).is_err(), "the total counts all callers");
        drop(first);
        assert!(limits.admit(a).is_ok());
    }
}
