//! A frame that the engine has not completed yet: what it shows, and the cursor just behind it.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use schema::{
    event::{OrderEvent, OrderStatus},
    id::OrderId,
};
use serde_json::{Value, json};

use super::{metrics, resume::ResumePoint, snapshot::Snapshot, topic::Shown};

/// The kinds of a frame, as the graph names them.
const CHANGE: &str = "CHANGE";
const SNAPSHOT: &str = "SNAPSHOT";
const GAP: &str = "GAP";

/// A frame that waits for its completion.
#[derive(Debug)]
pub(super) struct PendingFrame {
    shows: Shows,
    pub(super) cursor: String,
}

/// What a frame shows.
#[derive(Debug)]
enum Shows {
    Change(Arc<OrderEvent>),
    Snapshot(Snapshot),
    Gap,
    /// Of a topic beside the order events, by the frame's kind.
    Topic(&'static str, Shown),
}

/// What a frame is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Entity {
    Order(OrderId),
    Key(Arc<str>),
}

impl PendingFrame {
    /// A status change.
    pub(super) fn change(event: Arc<OrderEvent>, behind: &ResumePoint) -> Self {
        Self::counted(Shows::Change(event), behind)
    }

    /// The order's current state.
    pub(super) fn snapshot(shown: Snapshot, behind: &ResumePoint) -> Self {
        Self::counted(Shows::Snapshot(shown), behind)
    }

    /// Lost history.
    pub(super) fn gap(behind: &ResumePoint) -> Self {
        Self::counted(Shows::Gap, behind)
    }

    /// A change of a topic's entity.
    pub(super) fn topic_change(shown: Shown, behind: &ResumePoint) -> Self {
        Self::counted(Shows::Topic(CHANGE, shown), behind)
    }

    /// The state of a topic's entity.
    pub(super) fn topic_state(shown: Shown, behind: &ResumePoint) -> Self {
        Self::counted(Shows::Topic(SNAPSHOT, shown), behind)
    }

    /// Lost history of a topic's entity.
    pub(super) fn topic_gap(shown: Shown, behind: &ResumePoint) -> Self {
        Self::counted(Shows::Topic(GAP, shown), behind)
    }

    fn counted(shows: Shows, behind: &ResumePoint) -> Self {
        metrics::FRAMES.with_label_values(&[shows.kind()]).inc();
        Self {
            shows,
            cursor: behind.to_string(),
        }
    }

    /// Its kind, and the version that it shows. With the cursor this says all: two routers' orders of events may give one
    /// cursor to two events.
    pub(super) fn identity(&self) -> (&'static str, Option<(Entity, u32)>) {
        let version = match &self.shows {
            Shows::Change(event) => Some((Entity::Order(event.order_id), event.version)),
            Shows::Snapshot(shown) => Some((Entity::Order(shown.order), shown.version)),
            Shows::Gap => None,
            Shows::Topic(_, shown) => {
                let key = shown.subject.key.clone().unwrap_or_default();
                Some((Entity::Key(key), shown.version.unwrap_or_default()))
            }
        };
        (self.shows.kind(), version)
    }

    /// When the change happened; `None` where there is none.
    pub(super) fn changed_at(&self) -> Option<DateTime<Utc>> {
        match &self.shows {
            Shows::Change(event) => Some(event.moment),
            Shows::Topic(_, shown) => shown.at,
            Shows::Snapshot(_) | Shows::Gap => None,
        }
    }

    /// The trace of the change.
    pub(super) fn traceparent(&self) -> Option<&str> {
        match &self.shows {
            Shows::Change(event) => event.traceparent.as_deref(),
            Shows::Topic(_, shown) => shown.traceparent.as_deref(),
            Shows::Snapshot(_) | Shows::Gap => None,
        }
    }

    /// The root field's object, by the schema's field names.
    pub(super) fn object(&self) -> Value {
        let (kind, cursor) = (self.shows.kind(), &self.cursor);
        match &self.shows {
            Shows::Change(event) => {
                let at = event.moment.to_rfc3339_opts(SecondsFormat::Micros, true);
                let (order, version) = (event.order_id, event.version);
                order_object(kind, cursor, order, version, event.status, &at)
            }
            Shows::Snapshot(shown) => {
                let (order, version) = (shown.order, shown.version);
                order_object(kind, cursor, order, version, shown.status, &shown.at)
            }
            Shows::Topic(_, shown) => shown.object(kind, cursor),
            Shows::Gap => json!({
                "kind": kind, "cursor": cursor, "orderId": null, "version": null, "status": null,
                "at": null, "order": null,
            }),
        }
    }
}

impl Shows {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Change(_) => CHANGE,
            Self::Snapshot(_) => SNAPSHOT,
            Self::Gap => GAP,
            Self::Topic(kind, _) => kind,
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
