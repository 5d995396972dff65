//! Deletes what is past its retention, beside the changes of carts: no cart is locked for it.

use chassis::postgres::StoreError;
use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use super::PostgresCarts;

impl PostgresCarts {
    /// Deletes up to `most` ended checkouts that are older than `before`, each with its lines and keys; gives how many.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_checkouts(
        &self,
        before: DateTime<Utc>,
        most: u32,
    ) -> Result<u64, StoreError> {
        let sql = include_str!("forget_checkouts.sql");
        self.forget(sql, before, most).await
    }

    /// Deletes up to `most` answers under idempotency keys that are older than `before`; gives how many.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_changes(
        &self,
        before: DateTime<Utc>,
        most: u32,
    ) -> Result<u64, StoreError> {
        let sql = include_str!("forget_changes.sql");
        self.forget(sql, before, most).await
    }

    async fn forget(&self, sql: &str, before: DateTime<Utc>, most: u32) -> Result<u64, StoreError> {
        let values = [before.into(), i64::from(most).into()];
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
        Ok(self.db.execute_raw(statement).await?.rows_affected())
    }
}
