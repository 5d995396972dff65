//! The rules of orders and stock as pure functions: no async, no I/O, no serde.
//!
//! Start at [`order`] (which status may follow which, and what that does to the stock), then [`lines`] (what
//! an order asks for) and [`stock`] (the ledger: every line or none). A caller locks rows, decides here, and
//! writes what was decided. Source: docs/contracts.md §3.

#![warn(
    clippy::arithmetic_side_effects,
    clippy::float_arithmetic,
    clippy::wildcard_enum_match_arm
)]

pub mod lines;
pub mod order;
pub mod stock;
