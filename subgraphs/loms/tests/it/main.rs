//! The order service against real Postgres, over its use cases, its graph and its gRPC socket.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod away;
mod bounds;
mod catalogue;
mod deadline;
mod expiry;
mod failover;
mod graph;
mod group;
mod grpc;
mod held;
mod idempotency;
mod ledger;
mod limits;
mod lists;
mod modes;
mod order;
mod price;
mod race;
mod sdl;
mod shop;
mod statements;
mod stock;
mod stock_events;
