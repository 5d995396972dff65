//! What a reader wants to see: one order, or the orders that meet a filter.

use std::collections::HashMap;

use schema::{
    event::{OrderEvent, OrderStatus},
    id::{OrderId, Sku, UserId},
};

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

/// The events that a reader gets. Whether its caller may have them is decided before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The changes of one order.
    Order(OrderId),
    /// The changes that meet a filter, of any orders.
    Orders(Filter),
}

/// Something that an event can be found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Order(OrderId),
    User(UserId),
    Sku(Sku),
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

    /// Whether the event is in scope.
    #[must_use]
    pub fn contains(self, event: &OrderEvent) -> bool {
        match self {
            Self::Order(order) => event.order_id == order,
            Self::Orders(Filter { user, status, sku }) => {
                user.is_none_or(|user| event.user_id == user)
                    && status.is_none_or(|status| event.status == status)
                    && sku.is_none_or(|sku| event.skus.binary_search(&sku).is_ok())
            }
        }
    }

    /// Whether its events are few among all, so that many readers can share a look at each and none is waited for. A SKU or a
    /// status may be half of the shop's.
    pub(crate) const fn is_narrow(self) -> bool {
        match self {
            Self::Order(_) => true,
            Self::Orders(filter) => filter.user.is_some(),
        }
    }

    /// Its events are those that have all of these, the rarest first.
    pub(crate) fn keys(self) -> impl Iterator<Item = Key> {
        let keys = match self {
            Self::Order(order) => [Some(Key::Order(order)), None, None],
            Self::Orders(Filter { user, status, sku }) => [
                user.map(Key::User),
                sku.map(Key::Sku),
                status.map(Key::Status),
            ],
        };
        keys.into_iter().flatten()
    }

    /// All scopes that an event is in.
    fn of(event: &OrderEvent) -> impl Iterator<Item = Self> {
        let skus = event.skus.iter().copied().map(Some);
        let filters = std::iter::once(None).chain(skus).flat_map(|sku| {
            let (user, status) = (Some(event.user_id), Some(event.status));
            let pairs = [(None, None), (user, None), (None, status), (user, status)];
            pairs.map(|(user, status)| Self::Orders(Filter { user, status, sku }))
        });
        std::iter::once(Self::Order(event.order_id)).chain(filters)
    }

    /// How many those are.
    const fn count_of(event: &OrderEvent) -> usize {
        1 + 4 * (1 + event.skus.len())
    }
}

impl Key {
    /// All that the event can be found by.
    pub(crate) fn of(event: &OrderEvent) -> impl Iterator<Item = Self> {
        let one = [
            Self::Order(event.order_id),
            Self::User(event.user_id),
            Self::Status(event.status),
        ];
        one.into_iter()
            .chain(event.skus.iter().copied().map(Self::Sku))
    }
}

/// What is kept for each scope that somebody reads.
#[derive(Debug)]
pub(crate) struct ByScope<T>(HashMap<Scope, T>);

impl<T> Default for ByScope<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T> ByScope<T> {
    /// What is kept for a scope, new if nothing is.
    pub(crate) fn entry(&mut self, scope: Scope) -> &mut T
    where
        T: Default,
    {
        self.0.entry(scope).or_default()
    }

    pub(crate) fn get_mut(&mut self, scope: Scope) -> Option<&mut T> {
        self.0.get_mut(&scope)
    }

    pub(crate) fn remove(&mut self, scope: Scope) {
        self.0.remove(&scope);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.0.values()
    }

    /// Visits what is kept for the scopes that the event is in: by the fewer of all that it is in and all that are read.
    pub(crate) fn visit(&self, event: &OrderEvent, mut visit: impl FnMut(&T)) {
        if self.0.len() < Scope::count_of(event) {
            let read = self.0.iter().filter(|(scope, _)| scope.contains(event));
            read.for_each(|(_, kept)| visit(kept));
        } else {
            let kept = Scope::of(event).filter_map(|scope| self.0.get(&scope));
            kept.for_each(visit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let has_all = scope.keys().all(|key| Key::of(&event).any(|it| it == key));
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
            ByScope(read).visit(&event, |scope| visited.push(*scope));
            assert_eq!(visited.len(), expected, "of {count}");
            assert!(visited.iter().all(|scope| scope.contains(&event)));
        }
    }
}
