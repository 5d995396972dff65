//! Carts in Postgres. Every change locks the cart's row first, so changes of one cart queue up and never deadlock.

use ::schema::id::{Quantity, Sku, UserId};
use async_trait::async_trait;
use chassis::postgres::StoreError;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction,
    DbBackend, EntityTrait, QueryFilter, QueryOrder, Statement, TransactionTrait,
    sea_query::OnConflict,
};
use uuid::Uuid;

use super::{Cart, Change, Error, Refusal, Repository};
use crate::entity::{cart_change, cart_line};

/// Carts, and the checkouts of them, in one Postgres database.
#[derive(Debug, Clone)]
pub struct PostgresCarts {
    pub(crate) db: DatabaseConnection,
}

impl PostgresCarts {
    /// Keeps carts in the database behind `db`, which is migrated.
    #[must_use]
    pub fn new(db: DatabaseConnection) -> Self {
        Self { db }
    }
}

#[async_trait]
impl Repository for PostgresCarts {
    async fn find(&self, owner: UserId) -> Result<Cart, StoreError> {
        lines_of(&self.db, owner).await
    }

    async fn change(
        &self,
        owner: UserId,
        change: Change,
        key: Option<&str>,
    ) -> Result<Cart, Error> {
        let tx = self.db.begin().await.map_err(StoreError::from)?;
        lock(&tx, owner).await?;
        let mut cart = lines_of(&tx, owner).await?;
        if let Some(key) = key {
            // Again, now that the cart is locked: the same request may have been made in between.
            if recall(&tx, owner, change, key).await? {
                return Ok(cart);
            }
            insert_answer(&tx, owner, change, key, None).await?;
        }
        match change {
            Change::Add(sku, count) => {
                let sum = cart.add(sku, count)?;
                set_line(&tx, owner, sku, sum).await?;
            }
            Change::Remove(sku) => {
                if cart.remove(sku) {
                    delete_lines(&tx, owner, Some(sku)).await?;
                }
            }
            Change::Clear => {
                if !cart.is_empty() {
                    cart = Cart::empty(owner);
                    delete_lines(&tx, owner, None).await?;
                }
            }
        }
        tx.commit().await.map_err(StoreError::from)?;
        Ok(cart)
    }

    async fn recall(&self, owner: UserId, change: Change, key: &str) -> Result<bool, Error> {
        recall(&self.db, owner, change, key).await
    }

    async fn note_refusal(
        &self,
        owner: UserId,
        change: Change,
        key: &str,
        refusal: Refusal,
    ) -> Result<(), StoreError> {
        insert_answer(&self.db, owner, change, key, Some(refusal)).await
    }
}

/// Locks the cart's row until the transaction ends, creating it if need be, and gives its checkout id.
pub(crate) async fn lock(tx: &DatabaseTransaction, owner: UserId) -> Result<Uuid, StoreError> {
    let statement = Statement::from_sql_and_values(
        DbBackend::Postgres,
        "INSERT INTO carts (user_id, checkout_id) VALUES ($1, $2)
         ON CONFLICT (user_id) DO UPDATE SET updated_at = now() RETURNING checkout_id",
        [owner.get().into(), Uuid::now_v7().into()],
    );
    let row = tx
        .query_one_raw(statement)
        .await?
        .expect("an upsert returns its row");
    Ok(row.try_get("", "checkout_id")?)
}

/// Reads a cart's lines.
pub(crate) async fn lines_of(db: &impl ConnectionTrait, owner: UserId) -> Result<Cart, StoreError> {
    let rows = cart_line::Entity::find()
        .filter(cart_line::Column::UserId.eq(owner.get()))
        .order_by_asc(cart_line::Column::Sku)
        .all(db)
        .await?;
    Ok(Cart::of(owner, rows.into_iter().map(|row| row.line())))
}

async fn set_line(
    tx: &DatabaseTransaction,
    owner: UserId,
    sku: Sku,
    count: Quantity,
) -> Result<(), StoreError> {
    let row = cart_line::ActiveModel {
        user_id: Set(owner.get()),
        sku: Set(sku.get()),
        count: Set(i64::from(count.get())),
    };
    let key = [cart_line::Column::UserId, cart_line::Column::Sku];
    let sum = OnConflict::columns(key)
        .update_column(cart_line::Column::Count)
        .to_owned();
    cart_line::Entity::insert(row)
        .on_conflict(sum)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

async fn recall(
    db: &impl ConnectionTrait,
    owner: UserId,
    change: Change,
    key: &str,
) -> Result<bool, Error> {
    let id = (owner.get(), change.operation().to_owned(), key.to_owned());
    let row = cart_change::Entity::find_by_id(id)
        .one(db)
        .await
        .map_err(StoreError::from)?;
    let Some(row) = row else { return Ok(false) };
    change.repeated(&row.input, row.refusal.as_deref())?;
    Ok(true)
}

/// Keeps an answer, unless there is one.
async fn insert_answer(
    db: &impl ConnectionTrait,
    owner: UserId,
    change: Change,
    key: &str,
    refusal: Option<Refusal>,
) -> Result<(), StoreError> {
    let row = cart_change::ActiveModel {
        user_id: Set(owner.get()),
        operation: Set(change.operation().to_owned()),
        idempotency_key: Set(key.to_owned()),
        input: Set(change.input()),
        refusal: Set(refusal.map(|refusal| refusal.name().to_owned())),
    };
    let unless_there = OnConflict::new().do_nothing().to_owned();
    cart_change::Entity::insert(row)
        .on_conflict(unless_there)
        .exec_without_returning(db)
        .await?;
    Ok(())
}

/// Deletes one line or all, takes them out of the checkouts that are still open, and gives the cart a new checkout id:
/// the next checkout is another order. Without this, a checkout whose answer was lost would order what was taken out.
async fn delete_lines(
    tx: &DatabaseTransaction,
    owner: UserId,
    sku: Option<Sku>,
) -> Result<(), StoreError> {
    let sql = include_str!("delete_lines.sql");
    let values = [
        owner.get().into(),
        sku.map(Sku::get).into(),
        Uuid::now_v7().into(),
    ];
    tx.execute_raw(Statement::from_sql_and_values(
        DbBackend::Postgres,
        sql,
        values,
    ))
    .await?;
    Ok(())
}
