//! Rows as the use cases know them. A value that breaks its type is a fault that names the row.

use ::schema::id::{OrderId, Sku, UserId};

use crate::{
    entity::{order, order_history, order_line},
    order::{
        error::Error,
        model::{Order, OrderLine, StatusChange},
    },
};

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
pub(super) fn line(row: &order_line::Model) -> Result<(OrderId, OrderLine), Error> {
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
pub(super) fn status_change(row: &order_history::Model) -> Result<(OrderId, StatusChange), Error> {
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
