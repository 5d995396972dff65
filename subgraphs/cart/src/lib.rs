//! The cart service: what each user is about to order, the catalogue's part of the graph, and checkout.
//!
//! Invariants: a change that succeeded is in Postgres; a cart's lines never sum up to more than an order can carry;
//! one checkout makes one order, whatever crashes in between. No transaction is open while another service is asked.
//! Start reading at [`cart`] (the rules), then [`checkout`] (the one walk over two services).

mod app;
pub mod cart;
pub mod checkout;
mod config;
mod entity;
pub mod loms;
mod metrics;
mod product;
pub mod retention;
mod schema;
mod statements;
mod user;

pub use crate::{
    app::{Dependencies, Service, StartError},
    config::{Config, Store},
    schema::sdl,
    statements::statements,
};
