//! Frames of topics beside the order events.
//!
//! A message is a version of an entity (`order_stream::TopicEvent`), and a frame shows it by the names of the schema: `kind`,
//! `cursor`, the key, the version, `at`, the members of the message's value by their own names, and a reference to the entity,
//! which the engine completes with whatever the operation asks of the graph. Which names these are says the field's description.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use order_stream::{TopicEvent, number_of};
use serde_json::{Map, Value, json};

use super::described::StreamField;

/// When it changed: the message's `moment`, unless it has such a member.
const AT: &str = "at";

/// A stream's field, and the entity that it is of; `None` for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) of: Arc<StreamField>,
    pub(super) key: Option<Arc<str>>,
}

/// What a frame of a topic shows.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub(super) subject: Subject,
    pub(super) version: Option<u32>,
    pub(super) at: Option<DateTime<Utc>>,
    pub(super) traceparent: Option<String>,
    members: Map<String, Value>,
}

impl Subject {
    /// The number that stands for the entity in cursors; `None` where the stream is of all.
    pub(super) fn number(&self) -> Option<i64> {
        self.key.as_deref().map(number_of)
    }
}

impl Shown {
    /// One change.
    pub(super) fn change(of: Arc<StreamField>, event: &TopicEvent) -> Self {
        Self {
            version: Some(event.version),
            at: event.moment,
            traceparent: event.traceparent.clone(),
            members: members(&of, &event.value),
            subject: Subject {
                of,
                key: Some(Arc::clone(&event.key)),
            },
        }
    }

    /// The state as the graph has it; `None` where it has none, which is version 0.
    pub(super) fn state(subject: Subject, state: Option<&Map<String, Value>>) -> Self {
        let version = state.and_then(|state| state.get(&subject.of.version)?.as_u64());
        let version = version.and_then(|version| u32::try_from(version).ok());
        Self {
            version: Some(version.unwrap_or_default()),
            at: None,
            traceparent: None,
            members: members(&subject.of, state.unwrap_or(&Map::new())),
            subject,
        }
    }

    /// Nothing but the entity, where the stream is of one: what happened to it is gone.
    pub(super) fn gap(subject: Subject) -> Self {
        Self {
            version: None,
            at: None,
            traceparent: None,
            members: members(&subject.of, &Map::new()),
            subject,
        }
    }

    /// The root field's object, by the schema's field names.
    pub(super) fn object(&self, kind: &str, cursor: &str) -> Value {
        let Subject { of, key } = &self.subject;
        let key = key.as_deref();
        let mut object = self.members.clone();
        if object.get(AT).is_some_and(Value::is_null) {
            let at = self.at;
            let at = at.map(|at| at.to_rfc3339_opts(SecondsFormat::Micros, true));
            object.insert(AT.to_owned(), json!(at));
        }
        object.extend([
            ("kind".to_owned(), kind.into()),
            ("cursor".to_owned(), cursor.into()),
            (of.version.clone(), json!(self.version)),
            (of.key.name.clone(), json!(key)),
        ]);
        if let Some(entity) = &of.entity {
            let reference = key.map(|id| json!({ "__typename": entity.ty, &entity.key: id }));
            object.insert(entity.field.clone(), json!(reference));
        }
        Value::Object(object)
    }
}

/// The members that a frame shows; null where there is none.
fn members(of: &StreamField, value: &Map<String, Value>) -> Map<String, Value> {
    let shown = of.members.iter().map(|name| {
        let member = value.get(name).cloned();
        (name.clone(), member.unwrap_or_default())
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use order_stream::{Event as _, TopicReading};

    use super::*;
    use crate::stream::described::tests::stock;

    fn subject() -> Subject {
        Subject {
            of: stock(),
            key: Some("77".into()),
        }
    }

    fn event() -> TopicEvent {
        let header = |name: &str| (name == "version").then(|| b"3".to_vec());
        let value = br#"{"sku":77,"available":1,"moment":"2026-01-02T03:04:05Z","more":true}"#;
        TopicEvent::decode(&TopicReading::default(), b"77", value, header).unwrap()
    }

    #[test]
    fn a_frame_shows_the_entity_its_version_and_the_named_members() {
        let shown = Shown::change(stock(), &event());
        let expected = json!({
            "kind": "CHANGE", "cursor": "c", "sku": "77", "version": 3, "available": 1,
            "at": "2026-01-02T03:04:05.000000Z",
            "product": { "__typename": "Product", "sku": "77" },
        });
        assert_eq!(shown.object("CHANGE", "c"), expected);
    }

    #[test]
    fn a_gap_and_a_state_that_is_none_have_nulls() {
        let gap = Shown::gap(subject()).object("GAP", "c");
        assert_eq!(
            (&gap["version"], &gap["available"]),
            (&Value::Null, &Value::Null)
        );
        assert_eq!(gap["sku"], "77");
        let of_all = Subject {
            key: None,
            ..subject()
        };
        let gap = Shown::gap(of_all).object("GAP", "c");
        assert_eq!((&gap["sku"], &gap["product"]), (&Value::Null, &Value::Null));
        let none = Shown::state(subject(), None);
        assert_eq!(none.version, Some(0));
        assert_eq!(none.object("SNAPSHOT", "c")["available"], Value::Null);
        let state = json!({"version": 4, "available": 0});
        let some = Shown::state(subject(), state.as_object());
        assert_eq!(some.object("SNAPSHOT", "c")["available"], 0);
        assert_eq!(some.version, Some(4));
    }
}
