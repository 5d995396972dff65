//! SeaORM entities, one table a file; named by nothing outside `store.rs` files.

pub(crate) mod order;
pub(crate) mod stock;
