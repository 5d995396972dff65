//! What the steps of a change hand on to each other: orders as stored, rows as locked, changes as decided.

use std::collections::{BTreeMap, HashMap};

use ::schema::{
    event::OrderStatus,
    id::{OrderId, Sku, UserId},
};
use chrono::{DateTime, Utc};
use loms_domain::{
    lines::{Lines, Needs},
    stock::StockRows,
};

use super::{
    error::Refusal,
    limits::{Holdings, Limits},
};
use crate::{access::Access, metrics::Counts};

/// An order without its lines, which never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// Numbered from 1.
    pub id: OrderId,
    /// Who ordered.
    pub user_id: UserId,
    /// Its place in the status machine of `loms-domain`.
    pub status: OrderStatus,
    /// 1, 2, 3 …: one per status change.
    pub version: u32,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it is cancelled if it still awaits payment; `None`: never.
    pub expires_at: Option<DateTime<Utc>>,
}

/// One line of a stored order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderLine {
    /// The product.
    pub sku: Sku,
    /// Units, at least 1.
    pub count: u32,
    /// What one unit cost in whole currency units; `None` when the order came in without prices.
    pub unit_price: Option<i64>,
}

/// One status that an order had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusChange {
    /// The status from then on.
    pub status: OrderStatus,
    /// When the order took it.
    pub at: DateTime<Utc>,
    /// The order's version from then on.
    pub version: u32,
}

/// Which orders a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderFilter {
    /// Only this buyer's.
    pub user: Option<UserId>,
    /// Only with this status.
    pub status: Option<OrderStatus>,
}

/// A page of a list, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The orders.
    pub orders: Vec<Order>,
    /// Whether the list goes on.
    pub has_next: bool,
}

impl Page {
    /// Makes a page from one order more than it may hold, where there is one.
    pub(super) fn of(mut orders: Vec<Order>, first: u32) -> Self {
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        let has_next = orders.len() > first;
        orders.truncate(first);
        Self { orders, has_next }
    }
}

/// An order and who asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct OrderKey {
    pub(crate) id: OrderId,
    pub(crate) access: Access,
}

/// The result of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// The order after the change. A refused change may have one too: the failed order, or the one that refused.
    pub order: Option<Order>,
    /// Why the change was refused.
    pub refusal: Option<Refusal>,
}

impl Outcome {
    pub(super) const fn done(order: Order) -> Self {
        Self {
            order: Some(order),
            refusal: None,
        }
    }

    pub(super) const fn refused(order: Option<Order>, refusal: Refusal) -> Self {
        Self {
            order,
            refusal: Some(refusal),
        }
    }
}

/// Something that a change locks, in the order in which it does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Row {
    /// The idempotency key of a user's operation.
    Key(i64, String, String),
    Order(OrderId),
    Stock(Sku),
}

/// When a transaction's changes happen, and until when the orders that it creates may stay unpaid.
#[derive(Debug, Clone, Copy)]
pub(super) struct TransactionTime {
    pub(super) now: DateTime<Utc>,
    pub(super) expires_at: Option<DateTime<Utc>>,
}

/// The rows that a transaction has locked.
#[derive(Debug)]
pub(super) struct LockedRows {
    pub(super) orders: BTreeMap<OrderId, Order>,
    /// The units that each order which takes a new status holds reserved.
    pub(super) needs: HashMap<OrderId, Needs>,
    pub(super) stock: StockRows,
    /// What the customers hold for whose commands limits count.
    pub(super) holdings: Holdings,
    pub(super) limits: Limits,
}

/// What is decided over locked rows and not yet written.
#[derive(Debug)]
pub(super) struct Decisions<'a> {
    pub(super) stock: StockRows,
    pub(super) new_orders: Vec<NewOrder<'a>>,
    pub(super) updates: Vec<Update<'a>>,
    outcomes: Vec<Pending>,
    pub(super) counts: Counts,
}

/// An order that has no id yet.
#[derive(Debug)]
pub(super) struct NewOrder<'a> {
    pub(super) user: UserId,
    pub(super) lines: &'a Lines,
    pub(super) status: OrderStatus,
    pub(super) refusal: Option<Refusal>,
    pub(super) traceparent: Option<&'a str>,
}

/// An order with the status that it takes.
#[derive(Debug)]
pub(super) struct Update<'a> {
    pub(super) order: Order,
    /// What its lines name, ascending, each once.
    pub(super) skus: Vec<Sku>,
    pub(super) traceparent: Option<&'a str>,
}

/// An outcome that may wait for its order's id.
#[derive(Debug)]
enum Pending {
    /// The index of its new order.
    NewOrder(usize),
    Known(Outcome),
}

impl<'a> Decisions<'a> {
    /// Nothing is decided yet.
    pub(super) fn over(stock: StockRows) -> Self {
        Self {
            stock,
            new_orders: Vec::new(),
            updates: Vec::new(),
            outcomes: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// Adds the outcome of the next command: a new order.
    pub(super) fn push_new_order(&mut self, order: NewOrder<'a>) {
        self.outcomes.push(Pending::NewOrder(self.new_orders.len()));
        self.new_orders.push(order);
    }

    /// Adds the outcome of the next command, which creates nothing.
    pub(super) fn push_outcome(&mut self, outcome: Outcome) {
        self.outcomes.push(Pending::Known(outcome));
    }

    /// One outcome a command, in their order; `created` are the new orders as they were stored.
    pub(super) fn outcomes(&self, created: &[Order]) -> Vec<Outcome> {
        let outcome = |pending: &Pending| match pending {
            Pending::Known(outcome) => *outcome,
            Pending::NewOrder(index) => Outcome {
                order: Some(created[*index]),
                refusal: self.new_orders[*index].refusal,
            },
        };
        self.outcomes.iter().map(outcome).collect()
    }
}
