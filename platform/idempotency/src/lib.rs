#![doc = include_str!("../README.md")]

mod call;
mod claim;
mod error;
mod find;
pub mod graphql;
pub mod grpc;
mod held;
mod key;
pub mod memory;
mod once;
mod retention;
mod store;

pub use crate::{
    call::Call,
    claim::{Claim, claim, record},
    error::Error,
    find::{find, is_used},
    held::HeldKeys,
    key::{InvalidKey, KEY_HEADER, Key},
    once::{Recorded, once},
    retention::{RETENTION, start_retention},
    store::{delete_before, statements},
};

#[cfg(test)]
mod tests {
    #[test]
    fn every_database_has_this_crates_table() {
        let ours = include_str!("../sql/idempotency.up.sql");
        assert_eq!(
            include_str!("../../../migrations/loms/0003_idempotency.up.sql"),
            ours
        );
        assert_eq!(
            include_str!("../../../migrations/comments/0002_idempotency_keys.up.sql"),
            ours
        );
        assert_eq!(
            include_str!("../../../migrations/cart/0005_idempotency_keys.up.sql"),
            ours
        );
    }
}
