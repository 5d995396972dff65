//! The status of an order as an enum of the graph.

use ::schema::event::OrderStatus;
use async_graphql::Enum;

/// Where an order is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(name = "OrderStatus")]
pub(crate) enum OrderStatusValue {
    /// Just made; nothing is reserved yet.
    New,
    /// Reserved and waiting for payment.
    AwaitingPayment,
    /// A line was short of stock; nothing is reserved.
    Failed,
    /// Paid; the units have left the stock.
    Paid,
    /// Called off, or not paid in time; the units are free again.
    Cancelled,
}

impl From<OrderStatus> for OrderStatusValue {
    fn from(status: OrderStatus) -> Self {
        match status {
            OrderStatus::New => Self::New,
            OrderStatus::AwaitingPayment => Self::AwaitingPayment,
            OrderStatus::Failed => Self::Failed,
            OrderStatus::Paid => Self::Paid,
            OrderStatus::Cancelled => Self::Cancelled,
        }
    }
}

impl From<OrderStatusValue> for OrderStatus {
    fn from(status: OrderStatusValue) -> Self {
        match status {
            OrderStatusValue::New => Self::New,
            OrderStatusValue::AwaitingPayment => Self::AwaitingPayment,
            OrderStatusValue::Failed => Self::Failed,
            OrderStatusValue::Paid => Self::Paid,
            OrderStatusValue::Cancelled => Self::Cancelled,
        }
    }
}
