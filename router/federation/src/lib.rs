//! A GraphQL federation engine: one graph over many subgraphs, for any supergraph and any transport.
//!
//! A request goes through the modules in this order. [`request`] has its words and [`host`] what the embedding process
//! provides; `graph` is the loaded supergraph; `operation` parses, checks and canonicalises the text into a `shape`;
//! `plan` decides the fetches; [`subgraph`] carries them; `execute` runs them and writes the response; [`engine`] is
//! the pipeline over all of these. A module uses only those before it. Start reading at [`Engine::prepare`].

pub mod engine;
mod execute;
mod graph;
pub mod host;
mod operation;
mod plan;
pub mod request;
mod shape;
pub mod subgraph;
mod weight;

pub use engine::{
    Completion, Engine, EngineConfig, EventNeeds, LoadError, Prepared, api_schema, declared,
    subscriptions,
};
pub use host::{Credential, Host, PublicCodes, Telemetry};
pub use request::{
    Code, ContextPerField, DocumentName, GraphRequest, GraphResponse, GraphqlError, OperationKind,
    OperationKinds, RequestContext, RequestError, ShowPlan, SubscriptionCall, document_hash,
};
pub use subgraph::{
    ClientHeaders, Declared, HeaderRules, Lane, Lanes, Link, Listener, LiveEvent, Member,
    OwnSubscriptions, ResponseHeaders, RootFields, Route, RouteError, Routes, Subgraph,
    SubscriptionField, Subscriptions, Transport,
};
