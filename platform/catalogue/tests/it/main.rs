//! Tests of the catalogue's client: real HTTP on loopback.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod client;
mod list;
mod outage;

use schema::id::Sku;

fn sku(id: i64) -> Sku {
    Sku::try_from(id).expect("within its bounds")
}
