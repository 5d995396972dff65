//! SeaORM entities, one table a file; named by nothing outside `store.rs`.

pub(crate) mod comment;
