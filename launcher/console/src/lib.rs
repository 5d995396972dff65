//! The operators' console of a marketplace on one machine: the page `/ops` and the API that it reads.
//!
//! What it shows and does comes from a [`Host`], which `marketplace up` is, and from what this process keeps of late. Every route of the API
//! but `session` asks for a token with scope `ops`. Invariants: whatever it keeps is bounded; a fault that it puts in is
//! taken out again, also when the client that asked for it has gone and when the marketplace stops; nothing that it shows
//! is a secret, or a text that a user wrote. Start reading at [`Console`], then `api`. Source: docs/console.md.

mod api;
mod app;
mod attribution;
mod config;
mod exposition;
mod fault;
mod gauges;
mod host;
mod lines;
mod operator;
mod page;
mod refusal;
mod shoppers;
mod since;
mod traces;
mod verification;

pub use self::{
    app::{Console, Session, Setup, StartError},
    attribution::of_target as service_of_target,
    config::Config,
    fault::Fault,
    host::{Check, Host, Port, Service, State},
};
