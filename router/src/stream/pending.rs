//! A frame that the engine has not completed yet: the root field's object, and the cursor just behind it.

use chrono::{DateTime, SecondsFormat, Utc};
use schema::{
    event::{OrderEvent, OrderStatus},
    id::OrderId,
};
use serde_json::{Value, json};

use super::{metrics, resume::ResumePoint, snapshot::Snapshot};

/// A frame that waits for its completion.
#[derive(Debug)]
pub(super) struct PendingFrame {
    /// The root field's object, by the schema's field names.
    pub(super) object: Value,
    pub(super) cursor: String,
    /// When the change happened; `None` for history, whose age says nothing about this process.
    pub(super) changed_at: Option<DateTime<Utc>>,
    /// The trace of the change that the frame shows.
    pub(super) traceparent: Option<String>,
}

impl PendingFrame {
    /// A status change; `is_live` when the event is new to the log.
    pub(super) fn change(event: &OrderEvent, behind: &ResumePoint, is_live: bool) -> Self {
        let cursor = behind.to_string();
        let at = event.moment.to_rfc3339_opts(SecondsFormat::Micros, true);
        let object = order_object(
            "CHANGE",
            &cursor,
            event.order_id,
            event.version,
            event.status,
            &at,
        );
        Self {
            changed_at: is_live.then_some(event.moment),
            traceparent: event.traceparent.clone(),
            ..Self::counted("CHANGE", object, cursor)
        }
    }

    /// The order's current state.
    pub(super) fn snapshot(shown: &Snapshot, behind: &ResumePoint) -> Self {
        let cursor = behind.to_string();
        let object = order_object(
            "SNAPSHOT",
            &cursor,
            shown.order,
            shown.version,
            shown.status,
            &shown.at,
        );
        Self::counted("SNAPSHOT", object, cursor)
    }

    /// Lost history.
    pub(super) fn gap(behind: &ResumePoint) -> Self {
        let cursor = behind.to_string();
        let object = json!({
            "kind": "GAP", "cursor": cursor, "orderId": null, "version": null, "status": null,
            "at": null, "order": null,
        });
        Self::counted("GAP", object, cursor)
    }

    fn counted(kind: &str, object: Value, cursor: String) -> Self {
        metrics::FRAMES.with_label_values(&[kind]).inc();
        Self {
            object,
            cursor,
            changed_at: None,
            traceparent: None,
        }
    }
}

fn order_object(
    kind: &str,
    cursor: &str,
    order: OrderId,
    version: u32,
    status: OrderStatus,
    at: &str,
) -> Value {
    let id = order.to_string();
    json!({
        "kind": kind, "cursor": cursor, "orderId": id, "version": version,
        "status": status.graphql_name(), "at": at,
        "order": { "__typename": "Order", "id": id },
    })
}
