//! The streams that a supergraph describes: `@stream` on a subscription field says from which topic it is served, and how.
//!
//! Everything that the router knows of a stream's field is in here, whoever wrote the schema; `read` reads and checks it when a
//! supergraph is loaded, `fault` says what is wrong with one. Invariant: a description never changes; a reload brings others.
//! Source: docs/streams.md, "Streams of your own".

mod fault;
mod frame;
mod given;
mod read;

use std::{collections::BTreeMap, sync::Arc};

use federation::Prepared;
use order_stream::TopicReading;

pub(crate) use read::read;

/// All streams of a supergraph, by their fields' names.
#[derive(Debug, Default)]
pub(crate) struct Streams(BTreeMap<String, Arc<StreamField>>);

/// A subscription field that is served from a topic.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StreamField {
    /// Its name in the graph.
    pub(in crate::stream) name: Arc<str>,
    /// Where its messages are, and how they are read.
    pub(in crate::stream) topic: Topic,
    /// The frame's type.
    pub(in crate::stream) frame: String,
    /// The frame's field that has the entity's id, and how an argument gives it.
    pub(in crate::stream) key: Key,
    /// The frame's field that has the entity itself.
    pub(in crate::stream) entity: Option<EntityField>,
    /// The frame's field with the version; a message's header or member of that name has it.
    pub(in crate::stream) version: String,
    /// Who may read it.
    pub(in crate::stream) readers: Readers,
    /// The entity's state as the first frame shows it: an operation with `$key`, whose one root field has the version and what
    /// else a frame shows.
    pub(in crate::stream) state: Option<String>,
    /// The fields of a frame that are members of a message's value.
    pub(in crate::stream) members: Vec<String>,
    /// The arguments that a message's members must equal.
    pub(in crate::stream) filters: Vec<Arc<str>>,
}

/// A topic, by its name in the contracts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::stream) enum Topic {
    /// That of the order events, whose messages have more headers than members.
    Orders,
    /// Any other.
    Of(Arc<str>, TopicReading),
}

/// How a stream is of one entity, or of all.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::stream) struct Key {
    /// The frame's field.
    pub(in crate::stream) name: String,
    /// The type of the argument of that name; without one the stream is of all entities.
    pub(in crate::stream) argument: Option<String>,
    /// Whether ids are numbers above 0, and `007` is 7.
    pub(in crate::stream) is_numeric: bool,
}

/// The frame's reference to the entity, which the graph completes.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::stream) struct EntityField {
    pub(in crate::stream) field: String,
    pub(in crate::stream) ty: String,
    /// The field of the type's key.
    pub(in crate::stream) key: String,
}

/// Who may read a stream. What a caller sees of the graph is decided by the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::stream) enum Readers {
    /// Anybody, also without a token.
    Everybody,
    /// Any caller with a token to whom the graph shows the entity's state: foreign and absent look the same.
    WhoSeesTheState,
    /// Every caller, what is theirs.
    Owners,
    /// Operators.
    Operators,
    /// Customers, all of it.
    Customers,
}

impl Streams {
    /// The streams of the graph that an operation was planned over.
    pub(in crate::stream) fn of(prepared: &Prepared) -> Arc<Self> {
        prepared
            .own()
            .get::<Arc<Self>>()
            .cloned()
            .unwrap_or_default()
    }

    /// The stream of a subscription field.
    pub(in crate::stream) fn find(&self, field: &str) -> Option<&Arc<StreamField>> {
        self.0.get(field)
    }

    /// Whether an object's field belongs to a frame of a stream, or is its root field.
    pub(in crate::stream) fn has(&self, ty: &str, field: &str) -> bool {
        let of_frame = |stream: &Arc<StreamField>| stream.frame == ty;
        (ty == "Subscription" && self.0.contains_key(field)) || self.0.values().any(of_frame)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The streams of the shop.
    pub(in crate::stream) fn shop() -> Arc<Streams> {
        let read = federation::subscriptions(schema::sdl::SUPERGRAPH).expect("a supergraph");
        let own = super::read(&read, true).expect("streams");
        own.data.get::<Arc<Streams>>().expect("read").clone()
    }

    pub(in crate::stream) fn stock() -> Arc<StreamField> {
        Arc::clone(shop().find("stockEvents").expect("described"))
    }
}
