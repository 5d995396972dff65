//! The microservice chassis: what every process of the marketplace has, and no business rule.
//!
//! Start reading at [`config`] and [`tasks`]. An error becomes a transport's answer in [`fault`] and nowhere else.

pub mod admission;
pub mod breaker;
pub mod budget;
pub mod clock;
pub mod compress;
pub mod config;
pub mod crash;
pub mod deadline;
pub mod durability;
pub mod fault;
pub mod graphql;
pub mod grpc;
pub mod health;
pub mod kafka;
pub mod listen;
pub mod places;
pub mod postgres;
pub mod principal;
pub mod request_rules;
pub mod retention;
pub mod retry;
pub mod service;
mod statements;
pub mod tasks;
pub mod telemetry;
pub mod tls;

pub use crate::statements::statements;
