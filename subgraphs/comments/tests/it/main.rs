//! The comments service against real Postgres: two shards, each a database of its own.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod bounds;
mod edit;
mod graph;
mod grpc;
mod keys;
mod lists;
mod sdl;
mod shards;
mod shop;
