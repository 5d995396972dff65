//! Order events as the log has them, and what a reader of them wants to see: one order, or the orders that meet a filter.

use std::mem::size_of;

use schema::{
    event::{OrderEvent, OrderStatus},
    id::{OrderId, Sku, UserId},
};

use crate::event::{Event, NotAnEvent, Selection};

/// Amortised cost of the entries of order, user and status in the index, and of the reference counts, in bytes.
const INDEX_BYTES: usize = 176;
/// The same of a SKU, with itself.
const SKU_BYTES: usize = size_of::<Sku>() + 24;

/// Changes that meet every condition that is there. Without any: all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Filter {
    /// Of orders of this buyer.
    pub user: Option<UserId>,
    /// To this status.
    pub status: Option<OrderStatus>,
    /// Of orders with this SKU in a line. An event that does not tell its SKUs is of none.
    pub sku: Option<Sku>,
}

/// The order events that a reader gets. Whether its caller may have them is decided before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The changes of one order.
    Order(OrderId),
    /// The changes that meet a filter, of any orders.
    Orders(Filter),
}

/// Something that an order event can be found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// Its order.
    Order(OrderId),
    /// The order's buyer.
    User(UserId),
    /// A product of the order.
    Sku(Sku),
    /// The status that it tells.
    Status(OrderStatus),
}

impl Scope {
    /// Every change.
    pub const ALL: Self = Self::Orders(Filter {
        user: None,
        status: None,
        sku: None,
    });

    /// The changes of all orders of one buyer.
    #[must_use]
    pub const fn of_user(user: UserId) -> Self {
        Self::Orders(Filter {
            user: Some(user),
            status: None,
            sku: None,
        })
    }
}

impl Selection for Scope {
    type Event = OrderEvent;
    type Key = Key;

    fn contains(&self, event: &OrderEvent) -> bool {
        match *self {
            Self::Order(order) => event.order_id == order,
            Self::Orders(Filter { user, status, sku }) => {
                user.is_none_or(|user| event.user_id == user)
                    && status.is_none_or(|status| event.status == status)
                    && sku.is_none_or(|sku| event.skus.binary_search(&sku).is_ok())
            }
        }
    }

    /// A SKU or a status may be half of the shop's.
    fn is_narrow(&self) -> bool {
        match self {
            Self::Order(_) => true,
            Self::Orders(filter) => filter.user.is_some(),
        }
    }

    fn keys(&self) -> impl Iterator<Item = Key> {
        let keys = match *self {
            Self::Order(order) => [Some(Key::Order(order)), None, None],
            Self::Orders(Filter { user, status, sku }) => [
                user.map(Key::User),
                sku.map(Key::Sku),
                status.map(Key::Status),
            ],
        };
        keys.into_iter().flatten()
    }

    fn keys_of(event: &OrderEvent) -> impl Iterator<Item = Key> {
        let one = [
            Key::Order(event.order_id),
            Key::User(event.user_id),
            Key::Status(event.status),
        ];
        one.into_iter()
            .chain(event.skus.iter().copied().map(Key::Sku))
    }

    fn of(event: &OrderEvent) -> impl Iterator<Item = Self> {
        let skus = event.skus.iter().copied().map(Some);
        let filters = std::iter::once(None).chain(skus).flat_map(|sku| {
            let (user, status) = (Some(event.user_id), Some(event.status));
            let pairs = [(None, None), (user, None), (None, status), (user, status)];
            pairs.map(|(user, status)| Self::Orders(Filter { user, status, sku }))
        });
        std::iter::once(Self::Order(event.order_id)).chain(filters)
    }

    fn count_of(event: &OrderEvent) -> usize {
        1 + 4 * (1 + event.skus.len())
    }
}

impl Event for OrderEvent {
    type Scope = Scope;
    type Entity = OrderId;
    type Reading = ();

    fn decode(
        (): &(),
        _: &[u8],
        value: &[u8],
        header: impl Fn(&str) -> Option<Vec<u8>>,
    ) -> Result<Self, NotAnEvent> {
        Self::decode(value, header).map_err(|error| NotAnEvent(error.to_string()))
    }

    fn entity(&self) -> OrderId {
        self.order_id
    }

    fn version(&self) -> u32 {
        self.version
    }

    fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.traceparent.as_ref().map_or(0, String::len)
            + self.skus.len() * SKU_BYTES
            + INDEX_BYTES
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::event::ByScope;

    fn event() -> OrderEvent {
        OrderEvent {
            event_id: uuid::Uuid::nil(),
            order_id: 7.try_into().unwrap(),
            user_id: 1.try_into().unwrap(),
            version: 1,
            status: OrderStatus::Paid,
            moment: chrono::DateTime::UNIX_EPOCH,
            skus: [4, 30].map(|sku| Sku::try_from(sku).unwrap()).to_vec(),
            traceparent: None,
        }
    }

    /// Every scope over two users, statuses and SKUs, two of them the event's, and two orders.
    fn scopes() -> Vec<Scope> {
        let user = |id: i64| Some(UserId::try_from(id).unwrap());
        let sku = |id: i64| Some(Sku::try_from(id).unwrap());
        let mut scopes = [7, 8]
            .map(|id| Scope::Order(id.try_into().unwrap()))
            .to_vec();
        for user in [None, user(1), user(2)] {
            for status in [None, Some(OrderStatus::Paid), Some(OrderStatus::New)] {
                for sku in [None, sku(4), sku(30), sku(5)] {
                    scopes.push(Scope::Orders(Filter { user, status, sku }));
                }
            }
        }
        scopes
    }

    #[test]
    fn an_event_is_in_the_scopes_that_contain_it_and_in_no_other() {
        let event = event();
        let of: Vec<_> = Scope::of(&event).collect();
        assert_eq!(of.len(), Scope::count_of(&event));
        for scope in scopes() {
            let has_all = scope
                .keys()
                .all(|key| Scope::keys_of(&event).any(|it| it == key));
            assert_eq!(scope.contains(&event), of.contains(&scope), "{scope:?}");
            assert_eq!(scope.contains(&event), has_all, "{scope:?}");
        }
    }

    #[test]
    fn few_readers_and_many_are_visited_alike() {
        let event = event();
        for count in 0..=scopes().len() {
            let read: HashMap<_, _> = scopes()
                .into_iter()
                .take(count)
                .map(|it| (it, it))
                .collect();
            let expected = read.keys().filter(|scope| scope.contains(&event)).count();
            let mut visited = Vec::new();
            ByScope::from_iter(read).visit(&event, |scope| visited.push(*scope));
            assert_eq!(visited.len(), expected, "of {count}");
            assert!(visited.iter().all(|scope| scope.contains(&event)));
        }
    }
}
