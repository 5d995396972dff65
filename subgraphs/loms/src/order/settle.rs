//! What paying, cancelling and expiring share: locked orders take their new status, and their stock with it.

use std::collections::BTreeSet;

use ::schema::{
    event::{OrderEvent, OrderStatus},
    id::OrderId,
};
use chrono::{DateTime, Utc};
use idempotency::{Answered, Call};
use loms_domain::order::{OrderError, StockEffect, Transition};
use sea_orm::{DatabaseTransaction, TransactionTrait as _};
use uuid::Uuid;

use super::{Error, Order, Orders, Outcome, Refusal, answer::Kept, store};
use crate::{access::Caller, metrics, retry, stock};

/// A rule of `loms-domain`.
pub(super) type Rule = fn(OrderStatus) -> Result<Transition, OrderError>;

/// A locked order with what was decided for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    pub(super) order: Order,
    pub(super) status: OrderStatus,
    pub(super) stock: StockEffect,
}

impl Orders {
    /// Runs `rule` over one order of the caller's.
    pub(super) async fn change(
        &self,
        caller: &Caller,
        id: OrderId,
        operation: &'static str,
        rule: Rule,
    ) -> Result<Answered<Outcome>, Error> {
        let call = caller
            .key
            .clone()
            .map(|key| Call::new(caller.user, operation, key, &id.get()));
        let call = call.transpose().map_err(idempotency::Error::from)?;
        let answered =
            retry::on_conflict(|| self.try_change(caller, id, call.as_ref(), rule)).await?;
        self.finish(answered)
    }

    async fn try_change(
        &self,
        caller: &Caller,
        id: OrderId,
        call: Option<&Call>,
        rule: Rule,
    ) -> Result<Answered<Kept>, Error> {
        let now = self.clock.now();
        let tx = self.db.begin().await?;
        let answered = idempotency::once(&tx, call, now, async || {
            decide(&tx, caller, id, rule, now).await.map(Kept::from)
        })
        .await?;
        tx.commit().await?; // crash point C4: committed, not yet answered
        Ok(answered)
    }
}

async fn decide(
    tx: &DatabaseTransaction,
    caller: &Caller,
    id: OrderId,
    rule: Rule,
    now: DateTime<Utc>,
) -> Result<Outcome, Error> {
    let Some(order) = store::lock(tx, caller.access, id).await? else {
        return Ok(Outcome::refused(None, Refusal::NotFound));
    };
    match rule(order.status) {
        Err(refusal) => Ok(Outcome::refused(Some(order), refusal.into())),
        Ok(Transition::Unchanged) => Ok(Outcome::done(order)),
        Ok(Transition::To { status, stock }) => {
            let change = Change {
                order,
                status,
                stock,
            };
            let changed = settle(tx, &[change], now, caller.traceparent.as_deref()).await?;
            let order = changed.first().copied().unwrap_or(order);
            Ok(Outcome::done(order))
        }
    }
}

/// Writes decided changes of locked orders: stock, status and events, with one statement each.
///
/// # Errors
/// Faults. [`LedgerBroken`](loms_domain::stock::LedgerBroken) when a row holds less than an order reserved.
pub(super) async fn settle(
    tx: &DatabaseTransaction,
    changes: &[Change],
    now: DateTime<Utc>,
    traceparent: Option<&str>,
) -> Result<Vec<Order>, Error> {
    let ids: Vec<OrderId> = changes.iter().map(|change| change.order.id).collect();
    let needs = store::load_needs(tx, &ids).await?;
    let skus: BTreeSet<_> = needs.values().flat_map(|needs| needs.skus()).collect();
    let mut rows = stock::store::lock(tx, skus).await?;
    for change in changes {
        let needs = needs.get(&change.order.id).ok_or(Error::Unreadable {
            id: change.order.id.get(),
            what: "it has no lines",
        })?;
        rows.settle(change.stock, needs)?;
        metrics::moved(change.stock, needs);
        metrics::changed(change.status);
    }
    let changed: Vec<Order> = changes.iter().map(next).collect();
    stock::store::write(tx, &rows.changed()).await?;
    store::set_status(tx, &changed).await?;
    let events: Vec<_> = changed
        .iter()
        .map(|order| event(order, now, traceparent))
        .collect();
    outbox::append(tx, &events).await?;
    Ok(changed)
}

fn next(change: &Change) -> Order {
    Order {
        status: change.status,
        version: change.order.version.saturating_add(1),
        ..change.order
    }
}

/// The event of the row that was just written.
fn event(order: &Order, now: DateTime<Utc>, traceparent: Option<&str>) -> OrderEvent {
    OrderEvent {
        event_id: Uuid::now_v7(),
        order_id: order.id,
        user_id: order.user_id,
        version: order.version,
        status: order.status,
        moment: now,
        traceparent: traceparent.map(str::to_owned),
    }
}
