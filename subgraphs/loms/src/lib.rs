//! The order service: orders, the stock ledger, and the events that announce every change.
//!
//! Invariants: a change of an order, its stock effect, its event and its idempotency key are one transaction;
//! `reserved` is what unpaid orders hold, and no unit is sold twice. Source: docs/contracts.md §3.
//!
//! Start reading at [`order`]: `order/mod.rs` has create, pay and cancel, and lists the file of each step. Then
//! [`stock`]; the rules themselves are the crate `loms-domain`.

mod access;
mod app;
mod config;
mod entity;
mod graphql;
mod grpc;
mod loader;
mod metrics;
pub mod order;
mod order_events;
mod retry;
mod schema;
mod seed;
mod statements;
pub mod stock;

pub use crate::{
    access::{Access, Caller},
    app::{Dependencies, Service, StartError},
    config::Config,
    schema::{sdl, subgraph},
    seed::seed,
    statements::statements,
};
