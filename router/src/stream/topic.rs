//! Subscriptions of topics beside the order events: what such a field is served from, and how its frames look.
//!
//! A message is a version of an entity (`order_stream::TopicEvent`), and a frame shows it by the names of the schema: `kind`,
//! `cursor`, the key by its argument's name, `version`, `at`, the members of the message's value by their own names, and a
//! reference to the entity, which the engine completes with whatever the operation asks of the graph.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use order_stream::{TopicEvent, number_of};
use schema::event::STOCK_TOPIC;
use serde_json::{Map, Value, json};

/// What a subscription field is served from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TopicField {
    /// Its name in the graph.
    pub(super) name: &'static str,
    /// The topic, by its name in the contracts.
    pub(super) topic: &'static str,
    /// The argument that names the entity; the frame's field of that name has it too.
    pub(super) key: &'static str,
    /// The frame's field with the entity, and the entity's type.
    pub(super) entity: (&'static str, &'static str),
    /// Members of the message's value that a frame shows.
    pub(super) members: &'static [&'static str],
    /// The entity's state as a frame shows it: an operation with `$key`, whose one root field has `version` and the members.
    /// Who may run it may read the stream.
    pub(super) state: &'static str,
}

/// The fields that are served from topics. Everybody may read them who may read the state.
pub(super) static FIELDS: [TopicField; 1] = [TopicField {
    name: "stockEvents",
    topic: STOCK_TOPIC,
    key: "sku",
    entity: ("product", "Product"),
    members: &["available"],
    state: "query StreamState($key: ID!) { stock(sku: $key) { version available } }",
}];

/// A stream's field, and the entity that it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) of: &'static TopicField,
    pub(super) key: Arc<str>,
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
    /// The number that stands for the entity in cursors.
    pub(super) fn number(&self) -> i64 {
        number_of(&self.key)
    }
}

impl Shown {
    /// One change.
    pub(super) fn change(subject: Subject, event: &TopicEvent) -> Self {
        Self {
            version: Some(event.version),
            at: event.moment,
            traceparent: event.traceparent.clone(),
            members: members(subject.of, &event.value),
            subject,
        }
    }

    /// The state as the graph has it; `None` where it has none, which is version 0.
    pub(super) fn state(subject: Subject, state: Option<&Map<String, Value>>) -> Self {
        let version = state.and_then(|state| state.get("version")?.as_u64());
        let version = version.and_then(|version| u32::try_from(version).ok());
        Self {
            version: Some(version.unwrap_or_default()),
            at: None,
            traceparent: None,
            members: members(subject.of, state.unwrap_or(&Map::new())),
            subject,
        }
    }

    /// Nothing but the entity: what happened to it is gone.
    pub(super) fn gap(subject: Subject) -> Self {
        Self {
            version: None,
            at: None,
            traceparent: None,
            members: members(subject.of, &Map::new()),
            subject,
        }
    }

    /// The root field's object, by the schema's field names.
    pub(super) fn object(&self, kind: &str, cursor: &str) -> Value {
        let Subject { of, key } = &self.subject;
        let (entity, ty) = of.entity;
        let at = self.at;
        let at = at.map(|at| at.to_rfc3339_opts(SecondsFormat::Micros, true));
        let mut object = self.members.clone();
        object.extend([
            ("kind".to_owned(), kind.into()),
            ("cursor".to_owned(), cursor.into()),
            ("version".to_owned(), json!(self.version)),
            ("at".to_owned(), json!(at)),
            (of.key.to_owned(), Value::from(&**key)),
            (
                entity.to_owned(),
                json!({ "__typename": ty, of.key: &**key }),
            ),
        ]);
        Value::Object(object)
    }
}

/// The members that a frame shows; null where there is none.
fn members(of: &TopicField, value: &Map<String, Value>) -> Map<String, Value> {
    let shown = of.members.iter().map(|name| {
        let member = value.get(*name).cloned();
        ((*name).to_owned(), member.unwrap_or_default())
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use order_stream::Event as _;

    use super::*;

    fn subject() -> Subject {
        Subject {
            of: &FIELDS[0],
            key: "77".into(),
        }
    }

    fn event() -> TopicEvent {
        let header = |name: &str| (name == "version").then(|| b"3".to_vec());
        let value = br#"{"sku":77,"available":1,"moment":"2026-01-02T03:04:05Z","more":true}"#;
        TopicEvent::decode(b"77", value, header).unwrap()
    }

    #[test]
    fn a_frame_shows_the_entity_its_version_and_the_named_members() {
        let shown = Shown::change(subject(), &event());
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
        let none = Shown::state(subject(), None);
        assert_eq!(none.version, Some(0));
        assert_eq!(none.object("SNAPSHOT", "c")["available"], Value::Null);
        let state = json!({"version": 4, "available": 0});
        let some = Shown::state(subject(), state.as_object());
        assert_eq!(some.object("SNAPSHOT", "c")["available"], 0);
        assert_eq!(some.version, Some(4));
    }
}
