//! The router: one graph over the subgraphs, for every kind of client.
//!
//! A request comes in by `serve` or `rest`, is refused or run by the [`federation`] engine, which [`engine`] sets up,
//! and goes out as one response; `stream` runs a subscription's operation once per event.

mod admission;
pub mod app;
pub mod config;
pub mod engine;
pub mod error;
mod events_query;
mod probe;
mod serve;
mod stream;
pub mod supergraph;

pub use app::{Dependencies, Service, StartError};
pub use config::Config;
pub use error::RequestError;
pub use federation::Transport;
