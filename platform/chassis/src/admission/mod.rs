//! Admission: who gets one of the few places where work is done, who waits for one, and who is refused at once.
//!
//! A process that takes everything does work for callers who have left. So a bounded number of requests is worked on; the
//! bound follows the latency ([`limit`](self), additive increase and multiplicative decrease). Whoever finds no place
//! waits, in order of arrival until the oldest has waited too long, for its class of [`Priority`]; a burst may wait for
//! seconds, behind a queue that stands nobody waits longer than a moment. A refusal is `OVERLOADED`: nothing was done, and it says when to come again.
//! Start reading at [`Limiter::door`] and [`Door::admit`].
//! Source: "Fail at Scale" (ACM Queue 13.8) for the queue's rule; TCP's congestion avoidance (RFC 5681) for the limit's.

mod config;
mod limit;
mod limiter;
mod metrics;
mod priority;
mod queue;
#[cfg(test)]
mod tests;

pub use self::{
    config::Config,
    limiter::{Door, Limiter, Permit, Refusal},
    priority::Priority,
};
