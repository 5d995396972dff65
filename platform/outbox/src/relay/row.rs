//! A row of an outbox on its way to its topic: unsent, then acknowledged.

use schema::event::OrderEvent;

/// What the broker is sent for a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// Whose versions keep their order.
    pub(crate) key: String,
    pub(crate) version: u32,
    pub(crate) value: Vec<u8>,
    /// All but the trace and the stream's epoch.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// W3C trace context of the change.
    pub(crate) traceparent: Option<String>,
}

/// A committed event that the broker has not acknowledged yet.
#[derive(Debug, Clone)]
pub(crate) struct Unsent {
    pub(crate) id: i64,
    pub(crate) message: Message,
}

/// Where the broker put an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Acked {
    pub(crate) id: i64,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

impl Message {
    /// The message of an order event. Source: docs/contracts.md §7.
    pub(crate) fn of(mut event: OrderEvent) -> Self {
        let traceparent = event.traceparent.take();
        Self {
            key: event.key(),
            version: event.version,
            value: event.value(),
            headers: event.headers(),
            traceparent,
        }
    }
}
