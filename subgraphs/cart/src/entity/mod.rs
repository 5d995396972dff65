//! SeaORM entities, one table a file; named by nothing outside the stores.

pub(crate) mod cart_change;
pub(crate) mod cart_line;
pub(crate) mod checkout;
pub(crate) mod checkout_key;
pub(crate) mod checkout_line;
