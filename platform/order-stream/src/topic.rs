//! Events of any domain, as their topic describes itself: a message is a version of the entity that its key names.
//!
//! The key is the entity's id as text; the version counts upwards for each entity, in a header or in a member of the value; the
//! value is a JSON object. The headers `stream-epoch` and `traceparent` are those of order events. Source: docs/contracts.md §7.
//!
//! Invariant: a message that is none of these is never passed over. It stands in the log as what cannot be read, and all whom it
//! may concern are given a gap: those of its entity where its key can be read, and everybody where it cannot.

use std::{mem::size_of, sync::Arc};

use chrono::{DateTime, Utc};
use schema::event::header;
use serde_json::{Map, Value};

use crate::event::{Event, NotAnEvent, Selection};

/// Amortised cost of an entry in the index, and of the reference counts, in bytes.
const INDEX_BYTES: usize = 112;

/// The most members by which a topic's events are found: an event is in as many scopes as these have subsets.
pub const TOPIC_MEMBERS_MAX: usize = 4;

/// How a topic's messages are read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TopicReading {
    /// The header that counts the entity's changes or, where a message has none of this name, the value's member.
    pub version: Arc<str>,
    /// The value's member that says whose the entity is; a message without it cannot be read.
    pub owner: Option<Arc<str>>,
    /// The value's members by which events are found; at most [`TOPIC_MEMBERS_MAX`], the others are not.
    pub members: Vec<Arc<str>>,
}

impl Default for TopicReading {
    fn default() -> Self {
        Self {
            version: header::VERSION.into(),
            owner: None,
            members: Vec::new(),
        }
    }
}

/// One change of one entity, or a message that tells of none.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicEvent {
    /// The entity's id: the message key. Empty where that cannot be read.
    pub key: Arc<str>,
    /// Above 0 and growing for each entity; 0 where the message cannot be read.
    pub version: u32,
    /// What the message says of it.
    pub value: Map<String, Value>,
    /// When it changed: the value's `moment`, where it has one.
    pub moment: Option<DateTime<Utc>>,
    /// W3C trace context of the request that changed it.
    pub traceparent: Option<String>,
    /// Whose it is.
    owner: Option<Arc<str>>,
    /// What it can be found by.
    members: Vec<Member>,
    fault: Option<String>,
    /// Length of the value as it came.
    length: usize,
}

/// A member's name, and its value as text.
type Member = (Arc<str>, Arc<str>);

/// The events of a topic that a reader gets: those that meet every condition that is there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct TopicScope {
    /// Of one entity.
    pub entity: Option<Arc<str>>,
    /// Of one owner.
    pub owner: Option<Arc<str>>,
    /// Whose members have these values, as [`text_of`] writes them; in the order of [`TopicReading::members`].
    pub members: Vec<Member>,
}

/// Something that an event can be found by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TopicKey {
    /// Its entity.
    Entity(Arc<str>),
    /// Its entity's owner.
    Owner(Arc<str>),
    /// A member of its value.
    Member(Arc<str>, Arc<str>),
}

impl TopicScope {
    /// Those of one entity.
    #[must_use]
    pub fn of_entity(key: Arc<str>) -> Self {
        Self {
            entity: Some(key),
            ..Self::default()
        }
    }
}

/// A member's value as conditions compare it: a text, a number or a truth value; `None` for anything else.
#[must_use]
pub fn text_of(value: &Value) -> Option<Arc<str>> {
    match value {
        Value::String(text) => Some(text.as_str().into()),
        Value::Number(number) => Some(number.to_string().into()),
        Value::Bool(is_true) => Some(is_true.to_string().into()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

impl TopicEvent {
    fn read(
        reading: &TopicReading,
        key: &str,
        value: &[u8],
        header: impl Fn(&str) -> Option<Vec<u8>>,
    ) -> Result<Self, String> {
        let length = value.len();
        let value: Map<String, Value> =
            serde_json::from_slice(value).map_err(|error| format!("value: {error}"))?;
        let name = &reading.version;
        let version = match header(name) {
            Some(bytes) => std::str::from_utf8(&bytes)
                .ok()
                .and_then(|it| it.parse().ok()),
            None => value.get(&**name).and_then(Value::as_u64),
        };
        let version = version.and_then(|version: u64| u32::try_from(version).ok());
        let version = version.filter(|version| *version > 0);
        let version = version.ok_or_else(|| format!("{name} is missing or no number above 0"))?;
        let owner = reading.owner.as_ref().map(|name| {
            let owner = value.get(&**name).and_then(text_of);
            owner.ok_or_else(|| format!("{name}, whose it is, is missing"))
        });
        let members = reading.members.iter().take(TOPIC_MEMBERS_MAX);
        let members = members.filter_map(|name| {
            let text = value.get(&**name).and_then(text_of)?;
            Some((Arc::clone(name), text))
        });
        let moment = value.get("moment").and_then(Value::as_str);
        let traceparent = header(header::TRACEPARENT);
        Ok(Self {
            key: key.into(),
            version,
            moment: moment.and_then(|moment| moment.parse().ok()),
            traceparent: traceparent.and_then(|bytes| String::from_utf8(bytes).ok()),
            owner: owner.transpose()?,
            members: members.collect(),
            value,
            fault: None,
            length,
        })
    }

    /// Of a message that cannot be read.
    fn unreadable(key: &str, fault: String) -> Self {
        Self {
            key: key.into(),
            version: 0,
            value: Map::new(),
            moment: None,
            traceparent: None,
            owner: None,
            members: Vec::new(),
            fault: Some(fault),
            length: 0,
        }
    }
}

impl Event for TopicEvent {
    type Scope = TopicScope;
    type Entity = Arc<str>;
    type Reading = TopicReading;

    fn decode(
        reading: &TopicReading,
        key: &[u8],
        value: &[u8],
        header: impl Fn(&str) -> Option<Vec<u8>>,
    ) -> Result<Self, NotAnEvent> {
        let Some(key) = std::str::from_utf8(key).ok().filter(|key| !key.is_empty()) else {
            return Ok(Self::unreadable(
                "",
                "the key is missing or no text".to_owned(),
            ));
        };
        let read = Self::read(reading, key, value, header);
        Ok(read.unwrap_or_else(|fault| Self::unreadable(key, fault)))
    }

    fn entity(&self) -> Arc<str> {
        Arc::clone(&self.key)
    }

    fn version(&self) -> u32 {
        self.version
    }

    fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// A parsed value takes a few times its text: a node for each member, with its name.
    fn bytes(&self) -> usize {
        let found_by = self.members.iter().map(|(_, text)| text).chain(&self.owner);
        let found_by: usize = found_by.map(|text| text.len() + INDEX_BYTES).sum();
        size_of::<Self>()
            + self.key.len()
            + self.traceparent.as_ref().map_or(0, String::len)
            + self.fault.as_ref().map_or(0, String::len)
            + self.value.len() * 2 * size_of::<Value>()
            + 2 * self.length
            + found_by
            + INDEX_BYTES
    }
}

impl Selection for TopicScope {
    type Event = TopicEvent;
    type Key = TopicKey;

    fn contains(&self, event: &TopicEvent) -> bool {
        let is_of = |entity: &Arc<str>| *entity == event.key;
        if event.fault.is_some() {
            // Whose it was, and what it said, nobody knows.
            return event.key.is_empty() || self.entity.as_ref().is_none_or(is_of);
        }
        self.entity.as_ref().is_none_or(is_of)
            && (self.owner.is_none() || self.owner == event.owner)
            && self.members.iter().all(|it| event.members.contains(it))
    }

    /// A member's value may be half of the topic's.
    fn is_narrow(&self) -> bool {
        self.entity.is_some() || self.owner.is_some()
    }

    fn keys(&self) -> impl Iterator<Item = TopicKey> {
        let entity = self.entity.clone().map(TopicKey::Entity);
        let owner = self.owner.clone().map(TopicKey::Owner);
        let members = self.members.iter().cloned();
        let members = members.map(|(name, text)| TopicKey::Member(name, text));
        entity.into_iter().chain(owner).chain(members)
    }

    fn keys_of(event: &TopicEvent) -> impl Iterator<Item = TopicKey> {
        let of_all = Self {
            entity: Some(Arc::clone(&event.key)),
            owner: event.owner.clone(),
            members: event.members.clone(),
        };
        of_all.keys().collect::<Vec<_>>().into_iter()
    }

    fn of(event: &TopicEvent) -> impl Iterator<Item = Self> {
        // Each scope once, or a reader would be given the event twice.
        let chosen = |set: usize, place: usize| (set >> place) & 1 == 1;
        let first = 1 + usize::from(event.owner.is_some());
        (0..Self::count_of(event)).map(move |set| {
            let members = event.members.iter().enumerate();
            let members = members.filter(|(place, _)| chosen(set, first + place));
            Self {
                entity: chosen(set, 0).then(|| Arc::clone(&event.key)),
                owner: event.owner.clone().filter(|_| chosen(set, 1)),
                members: members.map(|(_, member)| member.clone()).collect(),
            }
        })
    }

    /// What cannot be read is looked for in each scope that is read.
    fn count_of(event: &TopicEvent) -> usize {
        match event.fault {
            Some(_) => usize::MAX,
            None => 2 << (usize::from(event.owner.is_some()) + event.members.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(reading: &TopicReading, key: &str, version: Option<&str>, value: &str) -> TopicEvent {
        let header = |name: &str| {
            let version = version.filter(|_| name == header::VERSION)?;
            Some(version.as_bytes().to_vec())
        };
        TopicEvent::decode(reading, key.as_bytes(), value.as_bytes(), header).unwrap()
    }

    fn decode(key: &str, version: Option<&str>, value: &str) -> TopicEvent {
        read(&TopicReading::default(), key, version, value)
    }

    fn parcels() -> TopicReading {
        TopicReading {
            version: "revision".into(),
            owner: Some("buyer".into()),
            members: vec!["status".into(), "fragile".into()],
        }
    }

    #[test]
    fn a_message_with_key_version_and_object_is_an_event_whatever_its_domain() {
        let value = r#"{"seats":3,"moment":"2026-01-02T03:04:05Z","deep":{"a":[1]}}"#;
        let event = decode("screen-7", Some("12"), value);
        assert_eq!((&*event.key, event.version), ("screen-7", 12));
        assert_eq!(event.value["seats"], 3);
        assert!(event.moment.is_some() && event.fault().is_none());
        assert_eq!(decode("x", Some("1"), "{}").moment, None);
    }

    #[test]
    fn the_version_is_a_header_or_a_member_by_the_name_that_the_topic_gives_it() {
        assert_eq!(decode("x", None, r#"{"version":3}"#).version, 3);
        assert_eq!(decode("x", Some("4"), r#"{"version":3}"#).version, 4);
        let event = read(&parcels(), "p", None, r#"{"revision":2,"buyer":7}"#);
        assert_eq!((event.version, event.fault()), (2, None));
        assert_eq!(event.owner.as_deref(), Some("7"));
    }

    #[test]
    fn what_cannot_be_read_is_told_to_all_whom_it_may_concern() {
        let (this, other) = ("7", "8");
        for (key, version, value) in [
            ("", Some("1"), "{}"),
            ("7", None, "{}"),
            ("7", None, r#"{"version":"1"}"#),
            ("7", None, r#"{"version":1.5}"#),
            ("7", Some("0"), "{}"),
            ("7", Some("-1"), "{}"),
            ("7", Some("x"), r#"{"version":1}"#),
            ("7", Some("4294967296"), "{}"),
            ("7", Some("1"), ""),
            ("7", Some("1"), "[]"),
            ("7", Some("1"), "7"),
        ] {
            let event = decode(key, version, value);
            assert!(event.fault().is_some(), "{key} {version:?} {value}");
            let concerns = |key: &str| TopicScope::of_entity(key.into()).contains(&event);
            assert!(concerns(this) && TopicScope::default().contains(&event));
            assert_eq!(concerns(other), key.is_empty(), "{value}");
        }
        let nobodys = read(&parcels(), "p", None, r#"{"revision":1}"#);
        let of_one = TopicScope {
            owner: Some("7".into()),
            ..TopicScope::default()
        };
        assert!(nobodys.fault().is_some() && of_one.contains(&nobodys));
    }

    #[test]
    fn an_event_is_in_the_scopes_whose_conditions_it_meets_and_is_found_by_their_keys() {
        let value = r#"{"revision":1,"buyer":"b","status":"SENT","fragile":true,"weight":2}"#;
        let event = read(&parcels(), "p", None, value);
        let of: Vec<_> = TopicScope::of(&event).collect();
        let different: std::collections::HashSet<_> = of.iter().collect();
        assert_eq!(different.len(), TopicScope::count_of(&event));
        assert_eq!(of.len(), different.len());
        let some = |text: &str| Some(Arc::from(text));
        let member = |name: &str, text: &str| (Arc::from(name), Arc::from(text));
        let is_in = |entity, owner, members: &[Member]| {
            let members = members.to_vec();
            let scope = TopicScope {
                entity,
                owner,
                members,
            };
            let has_all = scope
                .keys()
                .all(|key| TopicScope::keys_of(&event).any(|it| it == key));
            assert_eq!(scope.contains(&event), of.contains(&scope), "{scope:?}");
            assert_eq!(scope.contains(&event), has_all, "{scope:?}");
            has_all
        };
        let (sent, lost) = (member("status", "SENT"), member("status", "LOST"));
        let fragile = member("fragile", "true");
        assert!(is_in(None, None, &[]) && is_in(some("p"), some("b"), &[]));
        assert!(is_in(None, some("b"), &[sent.clone(), fragile.clone()]));
        assert!(is_in(some("p"), None, std::slice::from_ref(&fragile)));
        assert!(!is_in(some("q"), None, &[]) && !is_in(None, some("c"), &[]));
        assert!(!is_in(None, None, &[lost, fragile]));
    }
}
