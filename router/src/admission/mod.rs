//! How much one caller may ask for: cost in a window of time, and streams at once; and what goes first when all ask for more
//! than there is.
//!
//! `chassis::budget` says whose limits a request counts against; `budget` and `streams` count by it; `class` says how
//! urgent an operation is.

mod budget;
mod charge;
mod class;
mod streams;

pub(crate) use budget::budget;
pub(crate) use charge::{current_charge, with_charge};
pub(crate) use class::class;
pub(crate) use streams::{StreamLimits, StreamPermit};
