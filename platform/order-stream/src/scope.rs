//! What a reader wants to see: one order, one buyer's orders, or everything.

use schema::{
    event::OrderEvent,
    id::{OrderId, UserId},
};

/// The events that a reader gets. Whether its caller may have them is decided before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The changes of one order.
    Order(OrderId),
    /// The changes of all orders of one buyer.
    User(UserId),
    /// Every change.
    All,
}

impl Scope {
    /// Whether the event is in scope.
    #[must_use]
    pub fn contains(self, event: &OrderEvent) -> bool {
        match self {
            Self::Order(order) => event.order_id == order,
            Self::User(user) => event.user_id == user,
            Self::All => true,
        }
    }

    /// The three scopes that an event is in.
    pub(crate) fn of(event: &OrderEvent) -> [Self; 3] {
        [
            Self::Order(event.order_id),
            Self::User(event.user_id),
            Self::All,
        ]
    }
}
