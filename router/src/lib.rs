//! The router: one graph over the subgraphs, for every kind of client.
//!
//! A request goes through the modules in this order: `serve` (and `rest`) takes it in, `operation` parses,
//! checks and canonicalises it, `plan` decides the fetches, `execute` runs them through `subgraph` and projects
//! the answer; `stream` does the same once per event. `engine` is the face of everything between the servers and
//! the subgraphs.

mod admission;
pub mod app;
pub mod config;
pub mod engine;
pub mod error;
mod events_query;
mod execute;
mod graph;
mod metrics;
mod operation;
mod plan;
mod probe;
pub mod rest;
mod serve;
mod stream;
pub mod subgraph;

pub use app::{Dependencies, Service, StartError};
pub use config::Config;
pub use engine::{
    Engine, EngineConfig, GraphRequest, GraphResponse, LoadError, OperationKind, OperationKinds,
    Prepared, RequestContext, RouterFields, SubscriptionCall,
};
pub use error::RequestError;
