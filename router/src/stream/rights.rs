//! With whose rights the entities of a frame are read, so that those who would get the same share one reading.
//!
//! Who may see an event is decided before anything is fetched: by its owner, which the event names, by the order that the
//! caller was let to watch, or by scope `ops`. What belongs to the order, or to everybody, looks the same to all of them and is
//! read by the router itself. The fields are listed, so that a new one is the caller's until somebody says otherwise.
//! Source: docs/streams.md, "Who shares a reading".

use chassis::principal::Principal;
use federation::EventNeeds;

use super::described::{Readers, Streams};

/// With whose rights a stream's entities are read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Rights {
    /// Nothing depends on who asks: the router's own.
    Order,
    /// Any operator's: an operator sees all.
    Operator,
    /// The caller's own.
    Caller {
        user: Option<i64>,
        is_customer: bool,
        service: Option<String>,
    },
    /// Those of one request: a subgraph gets what nobody here understands.
    Request,
}

impl Rights {
    /// The rights that an operation with these needs is read with for this caller.
    pub(super) fn of(needs: &EventNeeds, streams: &Streams, principal: Option<&Principal>) -> Self {
        if needs.has_headers {
            return Self::Request;
        }
        // What a frame has of its own is the event's, and the event is the caller's.
        let is_for_all = needs
            .fields
            .iter()
            .all(|(ty, field)| streams.has(ty, field) || is_of_the_order(ty, field));
        let Some(principal) = principal else {
            // Nobody in particular is let to streams that are everybody's, and to those alone.
            let opened = needs.fields.iter().find(|(ty, _)| ty == "Subscription");
            let opened = opened.and_then(|(_, field)| streams.find(field));
            let is_everybodys = opened.is_some_and(|it| it.readers == Readers::Everybody);
            return if is_for_all && is_everybodys {
                Self::Order
            } else {
                Self::Request
            };
        };
        if is_for_all {
            return Self::Order;
        }
        if principal.is_ops() {
            return Self::Operator;
        }
        Self::Caller {
            user: principal.user.map(schema::id::UserId::get),
            is_customer: principal.scopes.customer,
            service: principal.service.clone(),
        }
    }

    /// Whether streams of several requests may have these.
    pub(super) fn are_shared(&self) -> bool {
        *self != Self::Request
    }
}

/// The fields that belong to the order, or to everybody. Of a user only the id: cart and orders are its own.
const OF_THE_ORDER: [(&str, &[&str]); 11] = [
    (
        "Order",
        &[
            "id",
            "user",
            "status",
            "version",
            "lines",
            "total",
            "createdAt",
            "expiresAt",
            "history",
        ],
    ),
    ("OrderLine", &["product", "count", "unitPrice"]),
    ("OrderStatusChange", &["status", "at", "version"]),
    ("Money", &["amount", "currency"]),
    ("User", &["id"]),
    ("Product", &["sku", "name", "price", "stock", "comments"]),
    ("Stock", &["available", "version"]),
    (
        "CommentConnection",
        &["edges", "nodes", "pageInfo", "totalCount"],
    ),
    ("CommentEdge", &["cursor", "node"]),
    (
        "Comment",
        &[
            "id",
            "author",
            "product",
            "text",
            "createdAt",
            "editableUntil",
        ],
    ),
    (
        "PageInfo",
        &["hasNextPage", "hasPreviousPage", "startCursor", "endCursor"],
    ),
];

fn is_of_the_order(ty: &str, field: &str) -> bool {
    let fields = OF_THE_ORDER.iter().find(|(name, _)| *name == ty);
    fields.is_some_and(|(_, fields)| fields.contains(&field))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chassis::principal::Scopes;
    use chrono::DateTime;

    use super::*;
    use crate::stream::described::tests::shop;

    fn needs(fields: &[(&str, &str)]) -> EventNeeds {
        let own = |(ty, field): &(&str, &str)| ((*ty).to_owned(), (*field).to_owned());
        EventNeeds {
            fields: fields.iter().map(own).collect::<BTreeSet<_>>(),
            has_headers: false,
        }
    }

    fn principal(user: i64, scopes: Scopes) -> Principal {
        Principal {
            user: Some(user.try_into().unwrap()),
            scopes,
            expires_at: DateTime::UNIX_EPOCH,
            service: None,
        }
    }

    #[test]
    fn what_belongs_to_the_order_is_read_alike_for_all() {
        let needs = needs(&[
            ("Subscription", "myOrderEvents"),
            ("OrderEvent", "order"),
            ("Order", "lines"),
            ("Product", "name"),
        ]);
        for caller in [
            principal(1, Scopes::CUSTOMER),
            principal(2, Scopes::CUSTOMER),
            principal(3, Scopes::OPS),
        ] {
            assert_eq!(Rights::of(&needs, &shop(), Some(&caller)), Rights::Order);
        }
    }

    #[test]
    fn what_depends_on_who_asks_is_read_with_that_callers_rights() {
        for field in [
            ("Stock", "total"),
            ("Stock", "reserved"),
            ("User", "cart"),
            ("User", "orders"),
            ("Order", "aFieldOfTomorrow"),
            ("ATypeOfTomorrow", "id"),
        ] {
            let needs = needs(&[("Order", "lines"), field]);
            let of = |user, scopes| Rights::of(&needs, &shop(), Some(&principal(user, scopes)));
            let (one, two) = (of(1, Scopes::CUSTOMER), of(2, Scopes::CUSTOMER));
            assert_ne!(one, two, "{field:?}");
            assert_eq!(one, of(1, Scopes::CUSTOMER));
            assert_eq!(of(3, Scopes::OPS), Rights::Operator, "{field:?}");
            assert_eq!(of(4, Scopes::OPS), Rights::Operator);
        }
    }

    #[test]
    fn those_without_a_token_share_what_is_everybodys_and_nothing_else() {
        let stock = [
            ("Subscription", "stockEvents"),
            ("StockEvent", "product"),
            ("Product", "name"),
        ];
        assert_eq!(Rights::of(&needs(&stock), &shop(), None), Rights::Order);
        let more = [&stock[..], &[("Stock", "total")]].concat();
        assert_eq!(Rights::of(&needs(&more), &shop(), None), Rights::Request);
        let orders = [("Subscription", "myOrderEvents"), ("OrderEvent", "order")];
        assert_eq!(Rights::of(&needs(&orders), &shop(), None), Rights::Request);
    }

    #[test]
    fn where_a_subgraph_gets_the_clients_headers_nothing_is_shared() {
        let needs = EventNeeds {
            has_headers: true,
            ..needs(&[("Order", "lines")])
        };
        let rights = Rights::of(&needs, &shop(), Some(&principal(1, Scopes::OPS)));
        assert!(!rights.are_shared());
        assert!(!Rights::of(&EventNeeds::default(), &shop(), None).are_shared());
    }
}
