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

use super::{Cart, Error, Repository};
use crate::entity::cart_line;

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

    async fn add(&self, owner: UserId, sku: Sku, count: Quantity) -> Result<Cart, Error> {
        let tx = self.db.begin().await.map_err(StoreError::from)?;
        lock(&tx, owner).await?;
        let mut cart = lines_of(&tx, owner).await?;
        let sum = cart.add(sku, count)?;
        set_line(&tx, owner, sku, sum).await?;
        tx.commit().await.map_err(StoreError::from)?;
        Ok(cart)
    }

    async fn remove(&self, owner: UserId, sku: Sku) -> Result<Cart, StoreError> {
        let tx = self.db.begin().await?;
        lock(&tx, owner).await?;
        let mut cart = lines_of(&tx, owner).await?;
        if cart.remove(sku) {
            cart_line::Entity::delete_by_id((owner.get(), sku.get()))
                .exec(&tx)
                .await?;
            leave_checkouts(&tx, owner, Some(sku)).await?;
        }
        tx.commit().await?;
        Ok(cart)
    }

    async fn clear(&self, owner: UserId) -> Result<(), StoreError> {
        let tx = self.db.begin().await?;
        lock(&tx, owner).await?;
        let gone = cart_line::Entity::delete_many()
            .filter(cart_line::Column::UserId.eq(owner.get()))
            .exec(&tx)
            .await?;
        if gone.rows_affected > 0 {
            leave_checkouts(&tx, owner, None).await?;
        }
        Ok(tx.commit().await?)
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

/// Takes a removed line (or all) out of the checkouts that are still open, and gives the cart a new checkout id: the
/// next checkout is another order. Without this, a checkout whose answer was lost would order what the user took out.
async fn leave_checkouts(
    tx: &DatabaseTransaction,
    owner: UserId,
    sku: Option<Sku>,
) -> Result<(), StoreError> {
    let lines = Statement::from_sql_and_values(
        DbBackend::Postgres,
        "UPDATE checkout_lines SET in_cart = false FROM checkouts
         WHERE checkouts.id = checkout_lines.checkout_id AND checkouts.user_id = $1
           AND checkouts.state = 'open' AND ($2::bigint IS NULL OR checkout_lines.sku = $2)",
        [owner.get().into(), sku.map(Sku::get).into()],
    );
    tx.execute_raw(lines).await?;
    let cart = Statement::from_sql_and_values(
        DbBackend::Postgres,
        "UPDATE carts SET checkout_id = $2 WHERE user_id = $1",
        [owner.get().into(), Uuid::now_v7().into()],
    );
    tx.execute_raw(cart).await?;
    Ok(())
}
