//! A topic's events as their readers see them: one log a topic and process, any number of readers, no queues.
//!
//! [`EventStream`] follows a topic with one consumer and keeps recent events in a bounded log. A [`Reader`]
//! asks for a scope from a [`Cursor`] on and gets the next event or waits. Invariant: from a cursor on, a
//! reader gets every event in scope exactly once, in version order for each entity, on any process that follows
//! the same topic; or it gets a gap and knows that it must read the state again.
//!
//! Order events have a type and scopes of their own (`scope`); any other topic whose messages have a key and a version is read
//! as it is (`topic`).
//!
//! Where to start reading: `cursor` (what a place is), `event` (what a topic is made of), `log` (the shared memory), `reader`, then `tail`.
//!
//! # The identity of a stream
//! Offsets mean nothing in another incarnation of the topic. The client library does not give Kafka's topic id,
//! so the identity is the `stream-epoch` header that the outbox relay writes on every event: a UUID of version
//! 7, kept beside the outbox, replaced when the relay finds that the topic was. Such UUIDs sort by time, so all
//! processes agree that the highest one seen is the current one, also in a topic that holds several.

mod bounds;
mod config;
mod consumer;
mod cursor;
mod event;
mod log;
mod metrics;
mod reader;
mod replay;
mod resume;
mod scan;
mod scope;
mod shared;
mod stream;
mod tail;
mod topic;
mod versions;
mod waiters;

pub use bounds::Unavailable;
pub use config::Config;
pub use cursor::{Cursor, CursorError, MAX_PARTITIONS};
pub use event::{Event, NotAnEvent, Selection};
pub use reader::{Item, Reader};
pub use resume::{ResumePoint, Seen, number_of};
pub use scope::{Filter, Key, Scope};
pub use shared::{Caller, Stopped};
pub use stream::{EventStream, OrderStream};
pub use topic::{TOPIC_MEMBERS_MAX, TopicEvent, TopicKey, TopicReading, TopicScope, text_of};
