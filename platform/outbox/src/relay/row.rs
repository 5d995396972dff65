//! A row of the outbox on its way to the topic: unsent, then acknowledged.

use schema::event::OrderEvent;

/// A committed event that the broker has not acknowledged yet.
#[derive(Debug, Clone)]
pub(crate) struct Unsent {
    pub(crate) id: i64,
    pub(crate) event: OrderEvent,
}

/// Where the broker put an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Acked {
    pub(crate) id: i64,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}
