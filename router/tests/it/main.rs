//! The router against subgraphs that a test can look into.

#[path = "../../federation/tests/it/executor.rs"]
mod executor;
mod marketplace;
mod serve;
