//! A buyer orders: every line is reserved, or the order is kept as failed and nothing is.

use std::time::Duration;

use ::schema::{
    event::{OrderEvent, OrderStatus},
    id::UserId,
};
use chrono::{DateTime, TimeDelta, Utc};
use idempotency::{Answered, Call};
use loms_domain::{
    lines::Lines,
    order::{self, StockEffect, Transition},
};
use sea_orm::{DatabaseTransaction, TransactionTrait as _};
use uuid::Uuid;

use super::{Error, Orders, Outcome, answer::Kept, store};
use crate::{access::Caller, metrics, retry, stock};

/// What the caller sent, in the form that a key's fingerprint covers: user, then SKU, count and price of each line.
type Input = (i64, Vec<(i64, u32, Option<i64>)>);

impl Orders {
    /// Creates an order of `user`. Versions 1 (`new`) and 2 (`awaiting payment` or `failed`) come in one transaction.
    ///
    /// # Errors
    /// Faults, and a taken idempotency key. A short line is an outcome: the failed order with its refusal.
    ///
    /// # Cancel safety
    /// Dropped midway, the order may be made; the same key tells.
    pub async fn create(
        &self,
        caller: &Caller,
        user: UserId,
        lines: &Lines,
    ) -> Result<Answered<Outcome>, Error> {
        let call = caller
            .key
            .clone()
            .map(|key| Call::new(caller.user, "createOrder", key, &input(user, lines)));
        let call = call.transpose().map_err(idempotency::Error::from)?;
        let answered =
            retry::on_conflict(|| self.try_create(caller, user, lines, call.as_ref())).await?;
        let answered = self.finish(answered)?;
        if let (false, Some(order)) = (answered.replayed, answered.answer.order) {
            metrics::created(order.status);
            metrics::changed(OrderStatus::New);
            metrics::changed(order.status);
            if order.status == OrderStatus::AwaitingPayment {
                metrics::moved(StockEffect::Reserve, &lines.needs());
            }
        }
        Ok(answered)
    }

    async fn try_create(
        &self,
        caller: &Caller,
        user: UserId,
        lines: &Lines,
        call: Option<&Call>,
    ) -> Result<Answered<Kept>, Error> {
        let now = self.clock.now();
        let new = NewOrder {
            user,
            lines,
            now,
            expires_at: expiry(now, self.order_ttl),
        };
        let tx = self.db.begin().await?;
        let answered = idempotency::once(&tx, call, now, async || {
            new.place(&tx, caller.traceparent.clone())
                .await
                .map(Kept::from)
        })
        .await?;
        tx.commit().await?; // crash point C1: the order is made, its buyer does not know
        Ok(answered)
    }
}

/// An order that is about to be decided.
struct NewOrder<'a> {
    user: UserId,
    lines: &'a Lines,
    now: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
}

impl NewOrder<'_> {
    /// Locks the stock, decides, writes order, lines, stock and both events.
    async fn place(
        &self,
        tx: &DatabaseTransaction,
        traceparent: Option<String>,
    ) -> Result<Outcome, Error> {
        let needs = self.lines.needs();
        let mut rows = stock::store::lock(tx, needs.skus()).await?;
        let reservation = rows.reserve(&needs);
        let status = match if reservation.is_ok() {
            order::reserved()
        } else {
            order::failed()
        } {
            Transition::To {
                status,
                stock: StockEffect::Reserve | StockEffect::Untouched,
            } => status,
            other => unreachable!("a new order is reserved or failed, not {other:?}"),
        };
        let expires_at = self
            .expires_at
            .filter(|_| status == OrderStatus::AwaitingPayment);
        let order = store::insert(tx, self.user, status, 2, self.now, expires_at).await?;
        store::insert_lines(tx, order.id, self.lines).await?;
        stock::store::write(tx, &rows.changed()).await?;
        let event = |version, status| OrderEvent {
            event_id: Uuid::now_v7(),
            order_id: order.id,
            user_id: self.user,
            version,
            status,
            moment: self.now,
            traceparent: traceparent.clone(),
        };
        outbox::append(tx, &[event(1, OrderStatus::New), event(2, status)]).await?;
        Ok(match reservation {
            Ok(()) => Outcome::done(order),
            Err(short) => Outcome::refused(Some(order), short.into()),
        })
    }
}

fn expiry(now: DateTime<Utc>, ttl: Duration) -> Option<DateTime<Utc>> {
    let ttl = TimeDelta::from_std(ttl).ok().filter(|ttl| !ttl.is_zero())?;
    now.checked_add_signed(ttl)
}

fn input(user: UserId, lines: &Lines) -> Input {
    let line = |line: &loms_domain::lines::Line| {
        (
            line.sku.get(),
            line.quantity.get(),
            line.unit_price.map(|price| price.get()),
        )
    };
    (user.get(), lines.as_sent().iter().map(line).collect())
}
