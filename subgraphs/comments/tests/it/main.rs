//! The comments service against real Postgres: two shards, each a database of its own.

mod edit;
mod graph;
mod keys;
mod lists;
mod sdl;
mod shards;
mod shop;
