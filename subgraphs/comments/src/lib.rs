//! The comments service: what users say of products, sharded over databases by SKU.
//!
//! Invariants: a comment lives in the database that its SKU and its id both name; only its author changes it, and only
//! within the edit window; a comment that was acknowledged is in Postgres. Start reading at [`comment`] (rules and use
//! cases), then [`shard`] (which database).

mod app;
pub mod comment;
mod config;
mod entity;
mod metrics;
mod schema;
pub mod shard;
mod statements;

pub use crate::{
    app::{Dependencies, Service, StartError},
    config::Config,
    schema::sdl,
    statements::statements,
};
