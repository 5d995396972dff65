//! Checkouts in Postgres. The cart's row is locked first, as by every change of the cart, so an attempt is frozen and
//! settled against a cart that stands still.

use ::schema::id::{OrderId, Quantity, Sku, UserId};
use async_trait::async_trait;
use chassis::{
    deadline,
    postgres::{StoreError, sql::Sql, within},
    sql,
};
use idempotency::Key;
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, TransactionTrait,
};
use uuid::Uuid;

use super::Repository;
use crate::{
    cart::{
        domain::{PricedLine, Prices},
        store::{PostgresCarts, lines_of, lock},
    },
    checkout::domain::{Attempt, Checkout, Outcome, Unpriced},
    entity::{
        cart,
        checkout::{self, State},
        checkout_key, checkout_line,
    },
};

pub(crate) static SUBTRACT_ORDERED: Sql<(i64, Uuid)> = sql!("subtract_ordered.sql");

#[async_trait]
impl Repository for PostgresCarts {
    async fn open(
        &self,
        owner: UserId,
        key: Option<&Key>,
        prices: &Prices,
    ) -> Result<Result<Attempt, Unpriced>, StoreError> {
        within(&self.db, async {
            let tx = self.db.begin().await?;
            let next = lock(&tx, owner).await?;
            let named = match key {
                Some(key) => find_key(&tx, owner, key).await?,
                None => None,
            };
            let id = named.unwrap_or(next);
            let (id, attempt) = match checkout::Entity::find_by_id(id).one(&tx).await? {
                Some(row) => (id, read_attempt(&tx, row).await?),
                None => match freeze_cart(&tx, owner, id, prices).await? {
                    Ok(frozen) => frozen,
                    Err(unpriced) => return Ok(Err(unpriced)),
                },
            };
            if let Some(key) = key
                && named.is_none()
            {
                if attempt == Attempt::Ended(Outcome::CartEmpty) {
                    insert_checkout(&tx, owner, id, State::CartEmpty).await?;
                }
                insert_key(&tx, owner, key, id).await?;
            }
            tx.commit().await?;
            Ok(Ok(attempt))
        })
        .await
    }

    async fn settle(
        &self,
        owner: UserId,
        checkout: Uuid,
        outcome: Outcome,
    ) -> Result<Outcome, StoreError> {
        within(&self.db, async {
            let tx = self.db.begin().await?;
            lock(&tx, owner).await?;
            let row = checkout::Entity::find_by_id(checkout).one(&tx).await?;
            if let Some(settled) = row.as_ref().and_then(outcome_of) {
                return Ok(settled);
            }
            end(&tx, checkout, &outcome).await?;
            if matches!(outcome, Outcome::Ordered(_)) {
                SUBTRACT_ORDERED
                    .execute(&tx, (owner.get(), checkout))
                    .await?;
            }
            renew_checkout_id(&tx, owner, checkout).await?;
            deadline::decide();
            tx.commit().await?;
            Ok(outcome)
        })
        .await
    }
}

async fn end(
    tx: &DatabaseTransaction,
    checkout: Uuid,
    outcome: &Outcome,
) -> Result<(), StoreError> {
    let ended = match outcome {
        Outcome::Ordered(order) => checkout::ActiveModel {
            state: Set(State::Ordered),
            order_id: Set(Some(order.get())),
            ..Default::default()
        },
        Outcome::OutOfStock(short) => checkout::ActiveModel {
            state: Set(State::OutOfStock),
            short: Set(short.map(|short| short.text())),
            ..Default::default()
        },
        Outcome::OverLimit { why } => checkout::ActiveModel {
            state: Set(State::OutOfStock),
            over_limit: Set(Some(why.clone())),
            ..Default::default()
        },
        Outcome::CartEmpty => checkout::ActiveModel {
            state: Set(State::CartEmpty),
            ..Default::default()
        },
    };
    checkout::Entity::update_many()
        .set(ended)
        .filter(checkout::Column::Id.eq(checkout))
        .exec(tx)
        .await?;
    Ok(())
}

/// Gives the cart another checkout id, unless a removal gave it one meanwhile.
async fn renew_checkout_id(
    tx: &DatabaseTransaction,
    owner: UserId,
    ended: Uuid,
) -> Result<(), StoreError> {
    let next = cart::ActiveModel {
        checkout_id: Set(Uuid::now_v7()),
        ..Default::default()
    };
    cart::Entity::update_many()
        .set(next)
        .filter(cart::Column::UserId.eq(owner.get()))
        .filter(cart::Column::CheckoutId.eq(ended))
        .exec(tx)
        .await?;
    Ok(())
}

async fn find_key(
    tx: &DatabaseTransaction,
    owner: UserId,
    key: &Key,
) -> Result<Option<Uuid>, StoreError> {
    let row = checkout_key::Entity::find_by_id((owner.get(), key.as_str().to_owned()))
        .one(tx)
        .await?;
    Ok(row.map(|row| row.checkout_id))
}

async fn insert_key(
    tx: &DatabaseTransaction,
    owner: UserId,
    key: &Key,
    checkout: Uuid,
) -> Result<(), StoreError> {
    let row = checkout_key::ActiveModel {
        user_id: Set(owner.get()),
        idempotency_key: Set(key.as_str().to_owned()),
        checkout_id: Set(checkout),
    };
    checkout_key::Entity::insert(row)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

async fn insert_checkout(
    tx: &DatabaseTransaction,
    owner: UserId,
    id: Uuid,
    state: State,
) -> Result<(), StoreError> {
    let row = checkout::ActiveModel {
        id: Set(id),
        user_id: Set(owner.get()),
        state: Set(state),
        order_id: NotSet,
        over_limit: NotSet,
        short: NotSet,
    };
    checkout::Entity::insert(row)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

async fn read_attempt(
    tx: &DatabaseTransaction,
    row: checkout::Model,
) -> Result<Attempt, StoreError> {
    if let Some(outcome) = outcome_of(&row) {
        return Ok(Attempt::Ended(outcome));
    }
    let lines = checkout_line::Entity::find()
        .filter(checkout_line::Column::CheckoutId.eq(row.id))
        .order_by_asc(checkout_line::Column::Sku)
        .all(tx)
        .await?;
    Ok(Attempt::Open(Checkout {
        id: row.id,
        lines: lines.iter().map(priced).collect(),
    }))
}

/// A new attempt, and the id that it has: an empty cart's does not use up the cart's own.
async fn freeze_cart(
    tx: &DatabaseTransaction,
    owner: UserId,
    id: Uuid,
    prices: &Prices,
) -> Result<Result<(Uuid, Attempt), Unpriced>, StoreError> {
    let cart = lines_of(tx, owner).await?;
    if cart.is_empty() {
        return Ok(Ok((Uuid::now_v7(), Attempt::Ended(Outcome::CartEmpty))));
    }
    let lines = match cart.priced_lines(prices) {
        Ok(lines) => lines,
        Err(unpriced) => return Ok(Err(Unpriced(unpriced))),
    };
    insert_checkout(tx, owner, id, State::Open).await?;
    let rows = lines.iter().map(|line| checkout_line::ActiveModel {
        checkout_id: Set(id),
        sku: Set(line.sku.get()),
        count: Set(i64::from(line.count.get())),
        unit_price: Set(i64::from(line.unit_price)),
        in_cart: Set(true),
    });
    checkout_line::Entity::insert_many(rows)
        .exec_without_returning(tx)
        .await?;
    Ok(Ok((id, Attempt::Open(Checkout { id, lines }))))
}

fn outcome_of(row: &checkout::Model) -> Option<Outcome> {
    match row.state {
        State::Open => None,
        State::Ordered => {
            let order = row.order_id.and_then(|id| OrderId::try_from(id).ok());
            Some(Outcome::Ordered(
                order.expect("the table checks that an ordered row has an order"),
            ))
        }
        State::OutOfStock => Some(match &row.over_limit {
            Some(why) => Outcome::OverLimit { why: why.clone() },
            None => {
                let short = row.short.as_deref().and_then(|short| short.parse().ok());
                Outcome::OutOfStock(short)
            }
        }),
        State::CartEmpty => Some(Outcome::CartEmpty),
    }
}

fn priced(row: &checkout_line::Model) -> PricedLine {
    PricedLine {
        sku: Sku::try_from(row.sku).expect("the table checks that a sku is above 0"),
        count: Quantity::try_from(row.count).expect("the table checks 1 to 2^32 - 1"),
        unit_price: u32::try_from(row.unit_price).expect("the table checks 0 to 2^32 - 1"),
    }
}
