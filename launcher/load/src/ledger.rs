//! What the shoppers were answered and what the subscribers saw: the two sides that must agree in the end.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The newest version of each order of a watched shopper, as a response named it.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<HashMap<i64, HashMap<String, u32>>>);

impl Ledger {
    /// Notes a response.
    pub fn answered(&self, user: i64, order: &str, version: u32) {
        let mut users = lock(&self.0);
        let newest = users
            .entry(user)
            .or_default()
            .entry(order.to_owned())
            .or_default();
        *newest = version.max(*newest);
    }

    /// Versions of this user's orders that a response named and `seen` lacks.
    pub(crate) fn missing(&self, user: i64, seen: &Seen) -> u64 {
        let users = lock(&self.0);
        let orders = users.get(&user).into_iter().flatten();
        let lacking = |(order, version): (&String, &u32)| {
            u64::from(version.saturating_sub(seen.version(order)))
        };
        orders.map(lacking).sum()
    }
}

/// What one more frame of an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The version that was due.
    Next,
    /// A version that had come before.
    Repeated,
    /// So many versions before this one did not come.
    Missed(u32),
}

/// The newest version of each order that one subscriber has seen. All its orders are made while it watches.
#[derive(Debug, Default)]
pub(crate) struct Seen(HashMap<String, u32>);

impl Seen {
    /// Takes a frame.
    pub(crate) fn judge(&mut self, order: &str, version: u32) -> Verdict {
        let last = self.0.entry(order.to_owned()).or_default();
        if version <= *last {
            return Verdict::Repeated;
        }
        let between = version - *last - 1;
        *last = version;
        match between {
            0 => Verdict::Next,
            missed => Verdict::Missed(missed),
        }
    }

    fn version(&self, order: &str) -> u32 {
        self.0.get(order).copied().unwrap_or_default()
    }
}

/// The lock, also after a panic elsewhere: the numbers in it are whole at any time.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_due_repeated_or_comes_after_missed_ones() {
        let mut seen = Seen::default();
        let judged: Vec<_> = [1, 2, 2, 5, 1]
            .map(|version| seen.judge("7", version))
            .into();
        let expected = [
            Verdict::Next,
            Verdict::Next,
            Verdict::Repeated,
            Verdict::Missed(2),
            Verdict::Repeated,
        ];
        assert_eq!(judged, expected);
        assert_eq!(seen.judge("8", 2), Verdict::Missed(1));
    }

    #[test]
    fn what_was_answered_and_never_came_is_missing() {
        let (ledger, mut seen) = (Ledger::default(), Seen::default());
        ledger.answered(1, "7", 3);
        ledger.answered(1, "7", 2);
        ledger.answered(2, "9", 2);
        assert_eq!(ledger.missing(1, &seen), 3);
        seen.judge("7", 1);
        assert_eq!(ledger.missing(1, &seen), 2);
        seen.judge("7", 2);
        seen.judge("7", 3);
        assert_eq!(ledger.missing(1, &seen), 0);
    }
}
