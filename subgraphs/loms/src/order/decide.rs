//! Changes that share one transaction: locked together, decided in the order in which they came, written set by set.
//!
//! Invariant: the outcome is that of the same changes one after the other, and the number of statements does not depend
//! on how many there are. Locks go in the order of the whole service: keys, orders by id, stock by SKU. Deciding is
//! pure; nothing is written before all are decided. Start reading at [`run`].

use std::collections::{BTreeSet, HashMap};

use ::schema::{
    event::{OrderEvent, OrderStatus},
    id::{OrderId, Sku, UserId},
};
use chassis::{crash, mutant};
use chrono::{DateTime, Utc};
use loms_domain::{
    lines::{Lines, Needs},
    order::{self, StockEffect, Transition},
    stock::StockRows,
};
use sea_orm::DatabaseTransaction;
use uuid::Uuid;

use super::{
    Error, Order, Outcome, Refusal,
    request::{Request, Work},
    store,
};
use crate::{metrics::Tally, stock};

/// When the changes happen, and until when an order may stay unpaid.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: DateTime<Utc>,
    pub(super) expires_at: Option<DateTime<Utc>>,
}

/// What a transaction has decided and written; its events are not appended yet.
pub(super) struct Written {
    /// One outcome a request, in their order.
    pub(super) outcomes: Vec<Outcome>,
    /// By version within each order.
    pub(super) events: Vec<OrderEvent>,
    /// What to count once all this is committed.
    pub(super) tally: Tally,
}

/// Locks what `requests` are about, decides them in their order and writes the rows of orders and stock.
///
/// # Errors
/// Faults; nothing is decided then, and the caller rolls `tx` back.
pub(super) async fn run(
    tx: &DatabaseTransaction,
    requests: &[&Request],
    moment: Moment,
) -> Result<Written, Error> {
    let batch = Batch::lock(tx, requests).await?;
    batch.decide(requests)?.write(tx, moment).await
}

/// The locked rows.
struct Batch {
    orders: HashMap<OrderId, Order>,
    needs: HashMap<OrderId, Needs>,
    rows: StockRows,
}

/// What is decided and not yet written.
struct Decided<'a> {
    rows: StockRows,
    created: Vec<NewOrder<'a>>,
    /// Orders with their last status.
    changed: HashMap<OrderId, Order>,
    events: Vec<Change<'a>>,
    outcomes: Vec<Pending>,
    tally: Tally,
}

/// An order that has no id yet.
pub(super) struct NewOrder<'a> {
    pub(super) user: UserId,
    pub(super) lines: &'a Lines,
    pub(super) status: OrderStatus,
    refusal: Option<Refusal>,
    traceparent: Option<&'a str>,
}

/// A status that an order takes.
struct Change<'a> {
    order: Order,
    traceparent: Option<&'a str>,
}

/// An outcome that may wait for its order's id.
enum Pending {
    Created(usize),
    Known(Outcome),
}

impl Batch {
    async fn lock(tx: &DatabaseTransaction, requests: &[&Request]) -> Result<Self, Error> {
        let wanted: Vec<_> = requests
            .iter()
            .filter_map(|request| match request.work {
                Work::Change { id, .. } => Some((id, request.access)),
                Work::Create { .. } => None,
            })
            .collect();
        let orders = store::lock_each(tx, &wanted).await?;
        // An order that nothing moves needs no stock: a repeated pay locks no row of goods.
        let moving: BTreeSet<OrderId> = requests
            .iter()
            .filter_map(|request| match request.work {
                Work::Change { id, rule } => {
                    let order = orders.get(&id)?;
                    matches!(rule(order.status), Ok(Transition::To { .. })).then_some(id)
                }
                Work::Create { .. } => None,
            })
            .collect();
        let moving: Vec<OrderId> = moving.into_iter().collect();
        let needs = store::load_needs(tx, &moving).await?;
        let mut skus: BTreeSet<Sku> = needs.values().flat_map(Needs::skus).collect();
        for request in requests {
            if let Work::Create { lines, .. } = &request.work {
                skus.extend(lines.as_sent().iter().map(|line| line.sku));
            }
        }
        let rows = stock::store::lock(tx, skus).await?;
        for request in requests {
            if let Some(point) = crash_point(request, &orders) {
                crash::at(point);
            }
        }
        Ok(Self {
            orders,
            needs,
            rows,
        })
    }

    /// Decides each request over what the ones before it left.
    fn decide<'a>(self, requests: &[&'a Request]) -> Result<Decided<'a>, Error> {
        let mut orders = self.orders;
        let mut decided = Decided {
            rows: self.rows,
            created: Vec::new(),
            changed: HashMap::new(),
            events: Vec::new(),
            outcomes: Vec::with_capacity(requests.len()),
            tally: Tally::default(),
        };
        for request in requests {
            let traceparent = request.traceparent.as_deref();
            match &request.work {
                Work::Create { user, lines } => decided.create(*user, lines, traceparent),
                Work::Change { id, rule } => {
                    // The lock covers whoever may; here it is this caller.
                    let order = orders
                        .get_mut(id)
                        .filter(|it| request.access.covers(it.user_id));
                    let Some(order) = order else {
                        let refused = Outcome::refused(None, Refusal::NotFound);
                        decided.outcomes.push(Pending::Known(refused));
                        continue;
                    };
                    let outcome = match rule(order.status) {
                        Err(refusal) => Outcome::refused(Some(*order), refusal.into()),
                        Ok(Transition::Unchanged) => Outcome::done(*order),
                        Ok(Transition::To { status, stock }) => {
                            let needs = self.needs.get(id).ok_or(Error::Unreadable {
                                id: id.get(),
                                what: "it has no lines",
                            })?;
                            *order = decided.change(*order, status, stock, needs, traceparent)?;
                            Outcome::done(*order)
                        }
                    };
                    decided.outcomes.push(Pending::Known(outcome));
                }
            }
        }
        Ok(decided)
    }
}

impl<'a> Decided<'a> {
    fn create(&mut self, user: UserId, lines: &'a Lines, traceparent: Option<&'a str>) {
        let needs = match mutant::is_on(mutant::Mutant::DuplicateLinesNotSummed) {
            false => lines.needs(),
            true => last_of_each(lines),
        };
        let reservation = self.rows.reserve(&needs);
        let transition = match &reservation {
            Ok(()) => order::reserved(),
            Err(_) => order::failed(),
        };
        let Transition::To { status, stock } = transition else {
            unreachable!("a new order is reserved or failed, not {transition:?}")
        };
        self.tally.created(status, stock, &needs);
        self.outcomes.push(Pending::Created(self.created.len()));
        self.created.push(NewOrder {
            user,
            lines,
            status,
            refusal: reservation.err().map(Refusal::from),
            traceparent,
        });
    }

    /// Gives an order its next status, and its stock with it.
    fn change(
        &mut self,
        order: Order,
        status: OrderStatus,
        stock: StockEffect,
        needs: &Needs,
        traceparent: Option<&'a str>,
    ) -> Result<Order, Error> {
        self.rows.settle(stock, needs)?;
        if mutant::is_on(mutant::Mutant::CancelReleasesTwice) && stock == StockEffect::Release {
            self.rows.settle(stock, needs)?;
        }
        self.tally.changed(status, stock, needs);
        let order = Order {
            status,
            version: order.version.saturating_add(1),
            ..order
        };
        self.changed.insert(order.id, order);
        self.events.push(Change { order, traceparent });
        Ok(order)
    }

    async fn write(self, tx: &DatabaseTransaction, moment: Moment) -> Result<Written, Error> {
        let created = store::insert_each(tx, &self.created, moment).await?;
        stock::store::write(tx, &self.rows.changed()).await?;
        let changed: Vec<Order> = self.changed.into_values().collect();
        store::set_status(tx, &changed).await?;
        let mut events = Vec::with_capacity(2 * created.len() + self.events.len());
        for (order, new) in created.iter().zip(&self.created) {
            let first = Order {
                status: OrderStatus::New,
                version: 1,
                ..*order
            };
            events.push(event(&first, moment.now, new.traceparent));
            events.push(event(order, moment.now, new.traceparent));
        }
        let later = self.events.iter();
        events.extend(later.map(|it| event(&it.order, moment.now, it.traceparent)));
        let outcomes = self.outcomes.into_iter().map(|pending| match pending {
            Pending::Known(outcome) => outcome,
            Pending::Created(place) => Outcome {
                order: Some(created[place]),
                refusal: self.created[place].refusal,
            },
        });
        Ok(Written {
            outcomes: outcomes.collect(),
            events,
            tally: self.tally,
        })
    }
}

/// The bug of [`mutant::Mutant::DuplicateLinesNotSummed`].
fn last_of_each(lines: &Lines) -> Needs {
    let units = lines.as_sent().iter();
    let units = units.map(|line| (line.sku, i64::from(line.quantity.get())));
    units.collect::<HashMap<Sku, i64>>().into_iter().collect()
}

/// Where the process dies when that is asked for: each change has its place behind its locks.
fn crash_point(request: &Request, orders: &HashMap<OrderId, Order>) -> Option<&'static str> {
    let Work::Change { id, rule } = &request.work else {
        return Some("orders::after_create_lock");
    };
    match rule(orders.get(id)?.status) {
        Ok(Transition::To {
            status: OrderStatus::Paid,
            ..
        }) => Some("orders::after_pay_lock"),
        Ok(Transition::To { .. }) => Some("orders::after_cancel_lock"),
        Ok(Transition::Unchanged) | Err(_) => None,
    }
}

/// The event of a status that an order takes.
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

/// An order that is cancelled because nobody paid.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expired {
    pub(super) order: Order,
    pub(super) status: OrderStatus,
    pub(super) stock: StockEffect,
}

/// Writes the end of locked orders: stock and status, with one statement each.
///
/// # Errors
/// Faults. [`LedgerBroken`](loms_domain::stock::LedgerBroken) when a row holds less than an order reserved.
pub(super) async fn expire(
    tx: &DatabaseTransaction,
    due: &[Expired],
    now: DateTime<Utc>,
) -> Result<Written, Error> {
    let ids: Vec<OrderId> = due.iter().map(|it| it.order.id).collect();
    let needs = store::load_needs(tx, &ids).await?;
    let skus: BTreeSet<Sku> = needs.values().flat_map(Needs::skus).collect();
    let mut decided = Decided {
        rows: stock::store::lock(tx, skus).await?,
        created: Vec::new(),
        changed: HashMap::new(),
        events: Vec::new(),
        outcomes: Vec::new(),
        tally: Tally::default(),
    };
    for it in due {
        let needs = needs.get(&it.order.id).ok_or(Error::Unreadable {
            id: it.order.id.get(),
            what: "it has no lines",
        })?;
        decided.change(it.order, it.status, it.stock, needs, None)?;
    }
    let moment = Moment {
        now,
        expires_at: None,
    };
    decided.write(tx, moment).await
}
