//! The SQL of orders. What locks and writes takes the transaction; what only reads takes the pool.
//!
//! The query builder says what it can. A set of rows (`unnest`) is a named `.sql` file beside its module, so that a
//! statement has one text however many rows it takes.

mod lock;
mod read;
mod write;

use ::schema::id::{OrderId, Sku, UserId};

pub(crate) use self::{
    lock::{LOCK_DUE, LOCK_ORDERS},
    read::{FIND_ORDERS, LIST_HISTORY},
    write::{INSERT_LINES, INSERT_ORDERS, SET_STATUS},
};
pub(super) use self::{
    lock::{lock, lock_due},
    read::{count, find, list, list_history, list_lines},
    write::write,
};
use super::{Error, Order, OrderLine, StatusChange};
use crate::entity::{order, order_history, order_line};

impl TryFrom<order::Model> for Order {
    type Error = Error;

    fn try_from(row: order::Model) -> Result<Self, Error> {
        let unreadable = |what| Error::Unreadable { id: row.id, what };
        Ok(Self {
            id: OrderId::try_from(row.id).map_err(|_| unreadable("id"))?,
            user_id: UserId::try_from(row.user_id).map_err(|_| unreadable("user_id"))?,
            status: row.status.parse().map_err(|_| unreadable("status"))?,
            version: u32::try_from(row.version).map_err(|_| unreadable("version"))?,
            created_at: row.created_at,
            expires_at: row.expires_at,
        })
    }
}

/// A line with the order that it belongs to.
fn line(row: &order_line::Model) -> Result<(OrderId, OrderLine), Error> {
    let unreadable = |what| Error::Unreadable {
        id: row.order_id,
        what,
    };
    let line = OrderLine {
        sku: Sku::try_from(row.sku).map_err(|_| unreadable("sku"))?,
        count: u32::try_from(row.count).map_err(|_| unreadable("count"))?,
        unit_price: row.unit_price,
    };
    let id = OrderId::try_from(row.order_id).map_err(|_| unreadable("order_id"))?;
    Ok((id, line))
}

/// A status with the order that had it.
fn status_change(row: &order_history::Model) -> Result<(OrderId, StatusChange), Error> {
    let unreadable = |what| Error::Unreadable {
        id: row.order_id,
        what,
    };
    let change = StatusChange {
        status: row.status.parse().map_err(|_| unreadable("status"))?,
        at: row.moment,
        version: u32::try_from(row.version).map_err(|_| unreadable("version"))?,
    };
    let id = OrderId::try_from(row.order_id).map_err(|_| unreadable("order_id"))?;
    Ok((id, change))
}
