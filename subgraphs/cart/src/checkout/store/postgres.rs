//! Checkouts in Postgres. The cart's row is locked first, as by every change of the cart, so an attempt is frozen and
//! settled against a cart that stands still.

use ::schema::id::{OrderId, Quantity, Sku, UserId};
use async_trait::async_trait;
use chassis::postgres::StoreError;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait,
    QueryFilter, QueryOrder, Statement, TransactionTrait,
};
use uuid::Uuid;

use super::Repository;
use crate::{
    cart::{
        domain::Prices,
        store::{PostgresCarts, lines_of, lock},
    },
    checkout::domain::{Answer, Checkout, Opened, PricedLine, freeze},
    entity::{
        checkout::{self, State},
        checkout_key, checkout_line,
    },
};

#[async_trait]
impl Repository for PostgresCarts {
    async fn open(
        &self,
        owner: UserId,
        key: Option<&str>,
        prices: &Prices,
    ) -> Result<Opened, StoreError> {
        let tx = self.db.begin().await?;
        let next = lock(&tx, owner).await?;
        let named = match key {
            Some(key) => find_key(&tx, owner, key).await?,
            None => None,
        };
        let id = named.unwrap_or(next);
        let (id, opened) = match checkout::Entity::find_by_id(id).one(&tx).await? {
            Some(row) => (id, opened(&tx, row).await?),
            None => freeze_cart(&tx, owner, id, prices).await?,
        };
        let new_name = key.filter(|_| named.is_none() && !matches!(opened, Opened::Unpriced(_)));
        if let Some(key) = new_name {
            if opened == Opened::Answered(Answer::CartEmpty) {
                insert_checkout(&tx, owner, id, State::CartEmpty).await?;
            }
            insert_key(&tx, owner, key, id).await?;
        }
        tx.commit().await?;
        Ok(opened)
    }

    async fn settle(
        &self,
        owner: UserId,
        checkout: Uuid,
        answer: Answer,
    ) -> Result<Answer, StoreError> {
        let tx = self.db.begin().await?;
        lock(&tx, owner).await?;
        let row = checkout::Entity::find_by_id(checkout).one(&tx).await?;
        if let Some(settled) = row.as_ref().and_then(answer_of) {
            return Ok(settled);
        }
        let (state, order) = match answer {
            Answer::Ordered(order) => (State::Ordered, Some(order.get())),
            Answer::OutOfStock => (State::OutOfStock, None),
            Answer::CartEmpty => (State::CartEmpty, None),
        };
        checkout::Entity::update_many()
            .set(checkout::ActiveModel {
                state: Set(state),
                order_id: Set(order),
                ..Default::default()
            })
            .filter(checkout::Column::Id.eq(checkout))
            .exec(&tx)
            .await?;
        if order.is_some() {
            execute(&tx, include_str!("subtract_ordered.sql"), owner, checkout).await?;
        }
        // A removal may have given the cart another id meanwhile; that one is not this attempt's to change.
        execute(
            &tx,
            "UPDATE carts SET checkout_id = gen_random_uuid() WHERE user_id = $1 AND checkout_id = $2",
            owner,
            checkout,
        )
        .await?;
        tx.commit().await?;
        Ok(answer)
    }
}

async fn execute(
    tx: &DatabaseTransaction,
    sql: &str,
    owner: UserId,
    checkout: Uuid,
) -> Result<(), StoreError> {
    let values = [owner.get().into(), checkout.into()];
    tx.execute_raw(Statement::from_sql_and_values(
        DbBackend::Postgres,
        sql,
        values,
    ))
    .await?;
    Ok(())
}

async fn find_key(
    tx: &DatabaseTransaction,
    owner: UserId,
    key: &str,
) -> Result<Option<Uuid>, StoreError> {
    let row = checkout_key::Entity::find_by_id((owner.get(), key.to_owned()))
        .one(tx)
        .await?;
    Ok(row.map(|row| row.checkout_id))
}

async fn insert_key(
    tx: &DatabaseTransaction,
    owner: UserId,
    key: &str,
    checkout: Uuid,
) -> Result<(), StoreError> {
    let row = checkout_key::ActiveModel {
        user_id: Set(owner.get()),
        idempotency_key: Set(key.to_owned()),
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
        order_id: Set(None),
    };
    checkout::Entity::insert(row)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// An attempt that is there already.
async fn opened(tx: &DatabaseTransaction, row: checkout::Model) -> Result<Opened, StoreError> {
    if let Some(answer) = answer_of(&row) {
        return Ok(Opened::Answered(answer));
    }
    let lines = checkout_line::Entity::find()
        .filter(checkout_line::Column::CheckoutId.eq(row.id))
        .order_by_asc(checkout_line::Column::Sku)
        .all(tx)
        .await?;
    Ok(Opened::Ready(Checkout {
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
) -> Result<(Uuid, Opened), StoreError> {
    let cart = lines_of(tx, owner).await?;
    if cart.is_empty() {
        return Ok((Uuid::now_v7(), Opened::Answered(Answer::CartEmpty)));
    }
    let lines = match freeze(&cart, prices) {
        Ok(lines) => lines,
        Err(unpriced) => return Ok((id, Opened::Unpriced(unpriced))),
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
    Ok((id, Opened::Ready(Checkout { id, lines })))
}

fn answer_of(row: &checkout::Model) -> Option<Answer> {
    match row.state {
        State::Open => None,
        State::Ordered => {
            let order = row.order_id.and_then(|id| OrderId::try_from(id).ok());
            Some(Answer::Ordered(
                order.expect("the table checks that an ordered row has an order"),
            ))
        }
        State::OutOfStock => Some(Answer::OutOfStock),
        State::CartEmpty => Some(Answer::CartEmpty),
    }
}

fn priced(row: &checkout_line::Model) -> PricedLine {
    PricedLine {
        sku: Sku::try_from(row.sku).expect("the table checks that a sku is above 0"),
        count: Quantity::try_from(row.count).expect("the table checks 1 to 2^32 - 1"),
        unit_price: u32::try_from(row.unit_price).expect("the table checks 0 to 2^32 - 1"),
    }
}
