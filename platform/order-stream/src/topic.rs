//! Events of any domain, as their topic describes itself: a message is a version of the entity that its key names.
//!
//! The key is the entity's id as text, the header `version` counts 1, 2, 3 … for each entity, and the value is a JSON object.
//! The headers `stream-epoch` and `traceparent` are those of order events. Source: docs/contracts.md §7.

use std::{mem::size_of, sync::Arc};

use chrono::{DateTime, Utc};
use schema::event::header;
use serde_json::{Map, Value};

use crate::event::{Event, NotAnEvent, Selection};

/// Amortised cost of the entry in the index, and of the reference counts, in bytes.
const INDEX_BYTES: usize = 112;

/// One change of one entity.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicEvent {
    /// The entity's id: the message key.
    pub key: Arc<str>,
    /// 1, 2, 3 … per entity.
    pub version: u32,
    /// What the message says of it.
    pub value: Map<String, Value>,
    /// When it changed: the value's `moment`, where it has one.
    pub moment: Option<DateTime<Utc>>,
    /// W3C trace context of the request that changed it.
    pub traceparent: Option<String>,
    /// Length of the value as it came.
    length: usize,
}

/// The events of a topic that a reader gets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TopicScope {
    /// All of them.
    All,
    /// Those of one entity.
    Entity(Arc<str>),
}

impl Event for TopicEvent {
    type Scope = TopicScope;
    type Entity = Arc<str>;

    fn decode(
        key: &[u8],
        value: &[u8],
        header: impl Fn(&str) -> Option<Vec<u8>>,
    ) -> Result<Self, NotAnEvent> {
        let refused = |why: &str| NotAnEvent(why.to_owned());
        let text = |name: &str| header(name).and_then(|bytes| String::from_utf8(bytes).ok());
        let key = std::str::from_utf8(key).ok().filter(|key| !key.is_empty());
        let key = key.ok_or_else(|| refused("the key is missing or no text"))?;
        let version = text(header::VERSION).and_then(|version| version.parse().ok());
        let version = version.filter(|version| *version > 0);
        let version = version.ok_or_else(|| refused("header version is missing or not above 0"))?;
        let length = value.len();
        let value: Map<String, Value> =
            serde_json::from_slice(value).map_err(|error| NotAnEvent(format!("value: {error}")))?;
        let moment = value.get("moment").and_then(Value::as_str);
        Ok(Self {
            key: key.into(),
            version,
            moment: moment.and_then(|moment| moment.parse().ok()),
            traceparent: text(header::TRACEPARENT),
            value,
            length,
        })
    }

    fn entity(&self) -> Arc<str> {
        Arc::clone(&self.key)
    }

    fn version(&self) -> u32 {
        self.version
    }

    /// A parsed value takes a few times its text: a node for each member, with its name.
    fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.key.len()
            + self.traceparent.as_ref().map_or(0, String::len)
            + self.value.len() * 2 * size_of::<Value>()
            + 2 * self.length
            + INDEX_BYTES
    }
}

impl Selection for TopicScope {
    type Event = TopicEvent;
    type Key = Arc<str>;

    fn contains(&self, event: &TopicEvent) -> bool {
        match self {
            Self::All => true,
            Self::Entity(key) => *key == event.key,
        }
    }

    fn is_narrow(&self) -> bool {
        matches!(self, Self::Entity(_))
    }

    fn keys(&self) -> impl Iterator<Item = Arc<str>> {
        let key = match self {
            Self::All => None,
            Self::Entity(key) => Some(Arc::clone(key)),
        };
        key.into_iter()
    }

    fn keys_of(event: &TopicEvent) -> impl Iterator<Item = Arc<str>> {
        std::iter::once(Arc::clone(&event.key))
    }

    fn of(event: &TopicEvent) -> impl Iterator<Item = Self> {
        [Self::All, Self::Entity(Arc::clone(&event.key))].into_iter()
    }

    fn count_of(_: &TopicEvent) -> usize {
        2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(key: &str, version: Option<&str>, value: &str) -> Option<TopicEvent> {
        let header = |name: &str| {
            let version = version.filter(|_| name == header::VERSION)?;
            Some(version.as_bytes().to_vec())
        };
        TopicEvent::decode(key.as_bytes(), value.as_bytes(), header).ok()
    }

    #[test]
    fn a_message_with_key_version_and_object_is_an_event_whatever_its_domain() {
        let value = r#"{"seats":3,"moment":"2026-01-02T03:04:05Z","deep":{"a":[1]}}"#;
        let event = decode("screen-7", Some("12"), value).unwrap();
        assert_eq!((&*event.key, event.version), ("screen-7", 12));
        assert_eq!(event.value["seats"], 3);
        assert!(event.moment.is_some());
        let bare = decode("x", Some("1"), "{}").unwrap();
        assert_eq!(bare.moment, None);
    }

    #[test]
    fn what_lacks_one_of_them_is_passed_over() {
        for (key, version, value) in [
            ("", Some("1"), "{}"),
            ("7", None, "{}"),
            ("7", Some("0"), "{}"),
            ("7", Some("-1"), "{}"),
            ("7", Some("x"), "{}"),
            ("7", Some("1"), ""),
            ("7", Some("1"), "[]"),
            ("7", Some("1"), "7"),
        ] {
            assert_eq!(
                decode(key, version, value),
                None,
                "{key} {version:?} {value}"
            );
        }
    }

    #[test]
    fn an_event_is_in_its_entitys_scope_and_in_that_of_all() {
        let event = decode("7", Some("1"), "{}").unwrap();
        let of: Vec<_> = TopicScope::of(&event).collect();
        assert_eq!(of.len(), TopicScope::count_of(&event));
        for scope in [
            TopicScope::All,
            TopicScope::Entity("7".into()),
            TopicScope::Entity("70".into()),
        ] {
            let has_all = scope
                .keys()
                .all(|key| TopicScope::keys_of(&event).any(|it| it == key));
            assert_eq!(scope.contains(&event), of.contains(&scope));
            assert_eq!(scope.contains(&event), has_all);
        }
    }
}
