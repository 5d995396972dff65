//! How much one caller may ask for: cost in a window of time, and streams at once.
//!
//! `key` says whose limits a request counts against; `budget` and `streams` count by it.

mod budget;
mod charge;
mod key;
mod streams;

pub(crate) use budget::{Budget, RETRY_AFTER_SECONDS, whole_seconds};
pub(crate) use charge::{Charge, current_charge, with_charge};
pub(crate) use key::RateLimitKey;
pub(crate) use streams::{StreamLimits, StreamPermit};
