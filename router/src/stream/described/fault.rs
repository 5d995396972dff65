//! What is wrong with the description of a stream.

/// Why a supergraph's stream is not served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Subscription.{field} @{directive}: {fault}")]
pub(crate) struct Refused {
    /// The subscription field.
    pub(super) field: String,
    /// The directive as the supergraph calls it.
    pub(super) directive: String,
    /// What is wrong.
    pub(super) fault: Fault,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("this version of the specification is not known: {0}")]
    Version(String),
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{0} has a value of another type, or an empty one")]
    Wrong(String),
    #[error("there is no argument {0}")]
    Unknown(String),
    #[error("topic {0:?} is no name of a Kafka topic")]
    Topic(String),
    #[error("kafka.brokers is empty: there is no broker to read topic {0:?} from")]
    NoBroker(String),
    #[error("the field's type {0} must be an object, and no list")]
    NotAFrame(String),
    #[error("{argument}: {ty} has no field {name}")]
    NoField {
        argument: &'static str,
        ty: String,
        name: String,
    },
    #[error("{ty}.{name} must be {wanted}")]
    Type {
        ty: String,
        name: String,
        wanted: &'static str,
    },
    #[error("{ty}.kind must be an enum with the value {value}")]
    Kind { ty: String, value: &'static str },
    #[error("{ty}.{name} is never null, but a GAP has none")]
    NeverNull { ty: String, name: String },
    #[error("the subgraph does not know {ty} by a key of one field")]
    NoEntityKey { ty: String },
    #[error(
        "it must be said who reads it, in one way: public, owner, scope, or a state that the caller must see"
    )]
    Readers,
    #[error("scope {0:?} is none: a caller has scope ops or customer")]
    Scope(String),
    #[error("a state is that of one entity: the field needs an argument {0}")]
    StateOfAll(String),
    #[error("argument {name} must be {wanted}")]
    Argument { name: String, wanted: &'static str },
    #[error("a topic has at most {max} arguments that filter, and {topic:?} has {count}")]
    Filters {
        topic: String,
        max: usize,
        count: usize,
    },
    #[error("it says another {about} of topic {topic:?} than Subscription.{other}")]
    Disagrees {
        about: &'static str,
        topic: String,
        other: String,
    },
    #[error("messages of this topic have no {0}")]
    NotOfOrders(String),
    #[error(
        "subgraph {subgraph} has {asked}, which a topic does not answer: streams have a subgraph of their own"
    )]
    Mixed { subgraph: String, asked: String },
}
