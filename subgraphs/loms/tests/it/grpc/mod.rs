//! The gRPC face over a socket, with messages numbered by hand. Source: docs/contracts.md §3.

mod callers;
mod contract;
mod keys;
mod order_events;
mod process;
mod server;
