//! Live subscriptions: from the order-event log to frames that any transport can carry.
//!
//! In: a prepared subscription, the caller, and where to resume. Out: frames, each with the cursor just behind it, and
//! one end. `hub` decides who may read what and from where, `source` reads one stream of it, `frame` is what a client
//! sees, `resume` is the cursor as clients hold it, `drain` ends streams at shutdown.
//! Invariant: a stream ends rather than skip an event; whoever resumes with its last cursor sees each version once.

mod drain;
mod field;
mod fields;
mod frame;
mod gate;
mod hub;
mod metrics;
mod resume;
mod snapshot;
mod source;

pub use drain::Drain;
pub use fields::{Charge, Fields, with_charge};
pub use frame::{End, Frame};
pub use hub::{Hub, Subscription};
pub use resume::ResumeHints;
