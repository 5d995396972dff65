//! The engine against subgraphs that a test can look into.

mod bad_supergraphs;
mod blame;
mod branches;
mod budget;
mod cases;
mod checks;
mod events;
mod executor;
mod faults;
mod garbage;
mod generated;
mod graphs;
mod http;
mod idle;
mod introspection;
mod mutations;
mod plans;
mod random;
mod responses;
mod toy;
mod verdicts;
mod worst;
