//! Carts in Postgres. Every change locks its key's row and then the cart's row, so changes of one cart queue up and never
//! deadlock.

use ::schema::id::{Quantity, Sku, UserId};
use async_trait::async_trait;
use chassis::{
    clock::Clock,
    deadline,
    postgres::{self, StoreError, sql::Sql, within},
    sql,
};
use idempotency::{Call, Recorded};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction, EntityTrait,
    QueryFilter, QueryOrder, TransactionTrait,
    sea_query::{Expr, OnConflict},
};
use uuid::Uuid;

use super::{Cart, Change, Error, Refusal, Repository};
use crate::{
    cart::{change::Effect, stored_response::StoredOutcome},
    entity::{cart, cart_line},
};

pub(crate) static DELETE_LINES: Sql<(i64, Option<i64>, Uuid)> = sql!("delete_lines.sql");

/// Carts, and the checkouts of them, in one Postgres database.
#[derive(Debug, Clone)]
pub struct PostgresCarts {
    pub(crate) db: DatabaseConnection,
    clock: Clock,
}

impl PostgresCarts {
    /// Keeps carts in the database behind `db`, which is migrated.
    #[must_use]
    pub fn new(db: DatabaseConnection, clock: Clock) -> Self {
        Self { db, clock }
    }
}

#[async_trait]
impl Repository for PostgresCarts {
    async fn find(&self, owner: UserId) -> Result<Cart, StoreError> {
        within(&self.db, lines_of(&self.db, owner)).await
    }

    async fn change(
        &self,
        owner: UserId,
        change: Change,
        call: Option<&Call>,
    ) -> Result<Recorded<Cart>, Error> {
        let changing = async {
            let tx = self.db.begin().await?;
            let mut changed = None;
            let outcome = idempotency::once(
                &tx,
                call,
                postgres::now(&self.db, &self.clock),
                async || {
                    lock(&tx, owner).await?;
                    let mut cart = lines_of(&tx, owner).await?;
                    let effect = match change.apply_to(&mut cart) {
                        Ok(effect) => effect,
                        Err(refusal) => return Ok(Err(refusal.into())),
                    };
                    write(&tx, owner, effect).await?;
                    changed = Some(cart);
                    Ok::<StoredOutcome, Error>(Ok(()))
                },
            );
            let outcome = outcome.await?;
            deadline::decide();
            tx.commit().await?;
            read(outcome.value)??;
            Ok::<_, Error>(changed)
        };
        match within(&self.db, changing).await? {
            Some(cart) => Ok(Recorded::new(cart)),
            None => Ok(Recorded::replayed(self.find(owner).await?)),
        }
    }

    async fn find_outcome(&self, call: &Call) -> Result<Option<Result<(), Refusal>>, Error> {
        let stored: Option<StoredOutcome> =
            within(&self.db, idempotency::find(&self.db, call)).await?;
        stored.map(read).transpose()
    }

    async fn record_refusal(
        &self,
        call: &Call,
        refusal: Refusal,
    ) -> Result<Result<(), Refusal>, Error> {
        within(&self.db, async {
            let tx = self.db.begin().await?;
            let outcome = idempotency::once(
                &tx,
                Some(call),
                postgres::now(&self.db, &self.clock),
                async || Ok::<StoredOutcome, Error>(Err(refusal.into())),
            );
            let outcome = outcome.await?;
            deadline::decide();
            tx.commit().await?;
            read(outcome.value)
        })
        .await
    }
}

fn read(stored: StoredOutcome) -> Result<Result<(), Refusal>, Error> {
    Ok(match stored {
        Ok(()) => Ok(()),
        Err(refusal) => Err(Refusal::try_from(refusal)?),
    })
}

/// Locks the cart's row until the transaction ends, creating it if need be, and gives its checkout id.
pub(crate) async fn lock(tx: &DatabaseTransaction, owner: UserId) -> Result<Uuid, StoreError> {
    let new = cart::ActiveModel {
        user_id: Set(owner.get()),
        checkout_id: Set(Uuid::now_v7()),
        updated_at: NotSet,
    };
    let lock = OnConflict::column(cart::Column::UserId)
        .value(cart::Column::UpdatedAt, Expr::current_timestamp())
        .to_owned();
    let row = cart::Entity::insert(new)
        .on_conflict(lock)
        .exec_with_returning(tx)
        .await?;
    Ok(row.checkout_id)
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

async fn write(tx: &DatabaseTransaction, owner: UserId, effect: Effect) -> Result<(), StoreError> {
    match effect {
        Effect::LineSet(sku, count) => set_line(tx, owner, sku, count).await,
        Effect::LineRemoved(sku) => delete_lines(tx, owner, Some(sku)).await,
        Effect::Cleared => delete_lines(tx, owner, None).await,
        Effect::None => Ok(()),
    }
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

/// Deletes one line or all, takes them out of the checkouts that are still open, and gives the cart a new checkout id:
/// the next checkout is another order. Without this, a checkout whose outcome was lost would order what was taken out.
async fn delete_lines(
    tx: &DatabaseTransaction,
    owner: UserId,
    sku: Option<Sku>,
) -> Result<(), StoreError> {
    let line = sku.map(Sku::get);
    DELETE_LINES
        .execute(tx, (owner.get(), line, Uuid::now_v7()))
        .await?;
    Ok(())
}
