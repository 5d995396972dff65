//! Decides commands over locked rows, in the order in which they came, each over what the ones before it left.
//!
//! Invariant: no I/O and no clock. The rules are those of `loms-domain`; here they meet the rows.

use std::collections::{BTreeMap, HashMap};

use ::schema::{
    event::OrderStatus,
    id::{OrderId, UserId},
};
use loms_domain::{
    lines::{Lines, Needs},
    order::{self, StockEffect, Transition},
};

use super::{
    command::{Action, Change, Command},
    error::{Error, Refusal},
    limits::{Holdings, Limits},
    model::{Decisions, LockedRows, NewOrder, Order, Outcome, Update},
};
use crate::access::Access;

/// Decides `commands`; nothing is written yet.
///
/// # Errors
/// Faults: a stock row that holds less than its orders reserved, an order without lines.
pub(super) fn decide<'a>(
    commands: &[&'a Command],
    locked: LockedRows,
) -> Result<Decisions<'a>, Error> {
    let mut state = State::over(locked);
    for command in commands {
        let traceparent = command.traceparent.as_deref();
        match &command.action {
            Action::Create { user, lines } => {
                state.create(*user, lines, traceparent, command.is_limited);
            }
            Action::Change { id, change } => {
                let outcome = state.change(command.access, *id, *change, traceparent)?;
                state.decisions.push_outcome(outcome);
            }
        }
    }
    Ok(state.decisions)
}

/// Decides what becomes of orders whose time to be paid is over.
///
/// # Errors
/// As [`decide`].
pub(super) fn expire(locked: LockedRows) -> Result<Decisions<'static>, Error> {
    let mut state = State::over(locked);
    let due: Vec<Order> = state.orders.values().copied().collect();
    for order in due {
        if let Transition::To { status, stock } = order::expire(order.status) {
            state.update(order, status, stock, None)?;
        }
    }
    Ok(state.decisions)
}

/// The locked rows as the decisions so far leave them.
struct State<'a> {
    orders: BTreeMap<OrderId, Order>,
    needs: HashMap<OrderId, Needs>,
    holdings: Holdings,
    limits: Limits,
    decisions: Decisions<'a>,
}

impl<'a> State<'a> {
    fn over(locked: LockedRows) -> Self {
        Self {
            orders: locked.orders,
            needs: locked.needs,
            holdings: locked.holdings,
            limits: locked.limits,
            decisions: Decisions::over(locked.stock),
        }
    }

    /// Reserves every line, or lets the order fail. What goes beyond a customer's limits makes no order.
    fn create(
        &mut self,
        user: UserId,
        lines: &'a Lines,
        traceparent: Option<&'a str>,
        is_limited: bool,
    ) {
        let needs = lines.needs();
        let stock = &self.decisions.stock;
        let is_there = needs.iter().all(|(sku, units)| units <= stock.free(sku));
        if is_limited && is_there {
            let checked = self.holdings.check(self.limits, user, &needs, stock);
            if let Err(refusal) = checked {
                return self.decisions.push_outcome(Outcome::refused(None, refusal));
            }
            self.holdings.add(user, &needs);
        }
        let reservation = self.decisions.stock.reserve(&needs);
        let (status, stock) = if reservation.is_ok() {
            order::RESERVED
        } else {
            order::FAILED
        };
        self.decisions.counts.created(status, stock, &needs);
        self.decisions.push_new_order(NewOrder {
            user,
            lines,
            status,
            refusal: reservation.err().map(Refusal::from),
            traceparent,
        });
    }

    /// Pays or cancels an order, if the caller may and the order's status allows it.
    fn change(
        &mut self,
        access: Access,
        id: OrderId,
        change: Change,
        traceparent: Option<&'a str>,
    ) -> Result<Outcome, Error> {
        // The row may be locked for another caller of the same group.
        let order = self.orders.get(&id).copied();
        let Some(order) = order.filter(|order| access.covers(order.user_id)) else {
            return Ok(Outcome::refused(None, Refusal::NotFound));
        };
        match change.transition(order.status) {
            Err(refusal) => Ok(Outcome::refused(Some(order), refusal.into())),
            Ok(Transition::Unchanged) => Ok(Outcome::done(order)),
            Ok(Transition::To { status, stock }) => {
                let order = self.update(order, status, stock, traceparent)?;
                Ok(Outcome::done(order))
            }
        }
    }

    /// Gives an order its next status, and its stock with it.
    fn update(
        &mut self,
        order: Order,
        status: OrderStatus,
        stock: StockEffect,
        traceparent: Option<&'a str>,
    ) -> Result<Order, Error> {
        let needs = self.needs.get(&order.id).ok_or(Error::Unreadable {
            id: order.id.get(),
            what: "it has no lines",
        })?;
        self.decisions.stock.settle(stock, needs)?;
        self.decisions.counts.changed(status, stock, needs);
        let order = Order {
            status,
            version: order.version.saturating_add(1),
            ..order
        };
        self.orders.insert(order.id, order);
        self.decisions.updates.push(Update {
            order,
            skus: needs.skus().collect(),
            traceparent,
        });
        Ok(order)
    }
}
