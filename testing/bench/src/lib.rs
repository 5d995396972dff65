//! What several benchmarks need: a marketplace of their own, on processors of its own.

pub mod cores;
pub mod memory;
pub mod server;
