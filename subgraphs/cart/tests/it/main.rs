//! Integration tests of the cart service: real Postgres, real HTTP and gRPC on loopback.

mod checkout;
mod fake_loms;
mod graphql;
mod product_client;
mod products;
mod repository;

use ::schema::id::{Quantity, Sku, UserId};

fn user(id: i64) -> UserId {
    UserId::try_from(id).unwrap()
}

fn sku(id: i64) -> Sku {
    Sku::try_from(id).unwrap()
}

fn units(count: u32) -> Quantity {
    Quantity::try_from(count).unwrap()
}

/// A fresh, migrated database of this test's own.
async fn postgres_carts() -> cart::cart::store::PostgresCarts {
    cart::cart::store::PostgresCarts::new(testkit::database(migrations::Database::Cart).await)
}
