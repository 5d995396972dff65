//! How many streams are open, of one caller and in all.
//!
//! Invariant: a permit is given back when its stream is dropped, however it ended.

use std::{collections::HashMap, sync::Arc};

use chassis::principal::Principal;
use parking_lot::Mutex;
use schema::{code::ErrorCode, id::UserId};

use crate::error::RequestError;

/// Whose streams are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Caller {
    User(UserId),
    Service(String),
    Anonymous,
}

impl Caller {
    /// The caller of a request.
    pub(crate) fn of(principal: Option<&Principal>) -> Self {
        match principal {
            None => Self::Anonymous,
            Some(principal) => match (principal.user, &principal.service) {
                (Some(user), _) => Self::User(user),
                (None, Some(service)) => Self::Service(service.clone()),
                (None, None) => Self::Anonymous,
            },
        }
    }
}

/// Counts streams.
#[derive(Debug)]
pub(super) struct Gate {
    per_caller_max: usize,
    total_max: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    callers: HashMap<Caller, usize>,
}

/// The right to one stream.
#[derive(Debug)]
pub(super) struct Permit {
    gate: Arc<Gate>,
    caller: Caller,
}

impl Gate {
    pub(super) fn new(per_caller_max: usize, total_max: usize) -> Arc<Self> {
        Arc::new(Self {
            per_caller_max,
            total_max,
            open: Mutex::default(),
        })
    }

    /// Takes a permit.
    ///
    /// # Errors
    /// `OVERLOADED`, with the limit's name, when the caller or the process holds as many as it may.
    pub(super) fn enter(self: &Arc<Self>, caller: Caller) -> Result<Permit, RequestError> {
        let mut open = self.open.lock();
        if open.total >= self.total_max {
            return Err(full(
                "streams of this server",
                "stream.total_max",
                self.total_max,
            ));
        }
        let held = open.callers.entry(caller.clone()).or_default();
        if *held >= self.per_caller_max {
            return Err(full(
                "streams of one caller",
                "stream.per_caller_max",
                self.per_caller_max,
            ));
        }
        *held += 1;
        open.total += 1;
        Ok(Permit {
            gate: Arc::clone(self),
            caller,
        })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.gate.open.lock();
        open.total = open.total.saturating_sub(1);
        if let Some(held) = open.callers.get_mut(&self.caller) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                open.callers.remove(&self.caller);
            }
        }
    }
}

fn full(what: &str, limit: &str, max: usize) -> RequestError {
    let refused = RequestError::new(
        ErrorCode::Overloaded,
        format!("{what} are at their limit of {max}"),
    );
    refused.with("limit", limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_stream_gives_its_place_back() {
        let gate = Gate::new(1, 2);
        let [a, b, c] = [1_i64, 2, 3].map(|id| Caller::User(UserId::try_from(id).unwrap()));
        let first = gate.enter(a.clone()).unwrap();
        assert_eq!(
            gate.enter(a.clone()).unwrap_err().code(),
            ErrorCode::Overloaded
        );
        let _second = gate.enter(b).unwrap();
        assert!(gate.enter(c).is_err(), "the total counts all callers");
        drop(first);
        assert!(gate.enter(a).is_ok());
    }
}
