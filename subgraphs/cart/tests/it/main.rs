//! Integration tests of the cart service: real Postgres, real HTTP and gRPC on loopback.

mod checkout;
mod fake_loms;
mod graph;
mod graphql;
mod order_service;
mod outage;
mod overload;
mod products;
mod repository;
mod retention;
mod search;
mod upgrade;

use ::schema::id::{Quantity, Sku, UserId};

fn user(id: i64) -> UserId {
    UserId::try_from(id).expect("within its bounds")
}

fn sku(id: i64) -> Sku {
    Sku::try_from(id).expect("within its bounds")
}

fn key(text: &str) -> idempotency::Key {
    text.to_owned().try_into().expect("within its bounds")
}

fn units(count: u32) -> Quantity {
    Quantity::try_from(count).expect("within its bounds")
}
