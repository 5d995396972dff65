//! The SQL of orders. What locks and writes takes the transaction; what only reads takes the pool.
//!
//! The query builder says what it can. A set of rows (`unnest`) is a named `.sql` file beside its module, so that a
//! statement has one text however many rows it takes.

mod held;
mod holdings;
mod lock;
mod read;
mod row;
mod write;

pub(crate) use self::{
    held::{HELD_ORDERS, HELD_STOCKS},
    holdings::HOLDINGS,
    lock::{LOCK_DUE, LOCK_ORDERS},
    read::{FIND_ORDERS, LIST_HISTORY, LIST_OF_EACH, TOTALS},
    write::{INSERT_LINES, INSERT_ORDERS, SET_STATUS},
};
pub(super) use self::{
    held::{held, wants},
    lock::{lock, lock_due},
    read::{count, find, list, list_first_lines, list_history, list_lines, list_of_each, totals},
    write::write,
};
