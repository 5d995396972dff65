//! Where notifications go. A sink may see one again after a crash, always under the same event id.

use std::io::{self, Write as _};

use chrono::SecondsFormat;
use futures::future::BoxFuture;
use schema::event::OrderEvent;
use serde_json::json;

/// A sink did not take a notification; it is offered again.
#[derive(Debug, thiserror::Error)]
#[error("sink: {0}")]
pub struct SinkError(#[from] pub io::Error);

/// Takes notifications, in version order for each order.
pub trait Sink: Send + Sync {
    /// Takes one notification. The event's id is the same when it is offered again.
    fn deliver<'a>(&'a self, event: &'a OrderEvent) -> BoxFuture<'a, Result<(), SinkError>>;
}

/// One line of JSON an event on standard output. Source: docs/contracts.md §7.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stdout;

impl Sink for Stdout {
    fn deliver<'a>(&'a self, event: &'a OrderEvent) -> BoxFuture<'a, Result<(), SinkError>> {
        let line = line(event);
        Box::pin(async move {
            // One write of the whole line, so that the lines of other tasks cannot cut it in two.
            let mut stdout = io::stdout().lock();
            stdout.write_all(line.as_bytes())?;
            Ok(stdout.flush()?)
        })
    }
}

/// The line of an event.
fn line(event: &OrderEvent) -> String {
    let mut line = json!({
        "notification": "order status changed",
        "order_id": event.order_id.get(),
        "status": event.status.as_str(),
        "moment": event.moment.to_rfc3339_opts(SecondsFormat::Micros, true),
        "user_id": event.user_id.get(),
        "version": event.version,
        "event_id": event.event_id,
        "traceparent": event.traceparent,
    })
    .to_string();
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use schema::event::OrderStatus;

    use super::*;

    #[test]
    fn an_event_is_one_line_of_json() {
        let event = OrderEvent {
            event_id: uuid::Uuid::nil(),
            order_id: 7.try_into().unwrap(),
            user_id: 3.try_into().unwrap(),
            version: 2,
            status: OrderStatus::AwaitingPayment,
            moment: "2026-08-01T10:00:00.5Z".parse().unwrap(),
            skus: Vec::new(),
            traceparent: Some("with \n a line break".to_owned()),
        };
        let line = line(&event);
        assert_eq!(line.matches('\n').count(), 1);
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["order_id"], 7);
        assert_eq!(read["status"], "awaiting payment");
        assert_eq!(read["moment"], "2026-08-01T10:00:00.500000Z");
    }
}
