//! Deletes what is past its retention, beside the changes of carts: no cart is locked for it.

use chassis::postgres::StoreError;
use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use super::PostgresCarts;

impl PostgresCarts {
    /// Deletes up to `most` ended checkouts and up to `most` answers under idempotency keys that are older than `before`;
    /// gives how many of each. A checkout takes its lines and keys with it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_before(
        &self,
        before: DateTime<Utc>,
        most: u32,
    ) -> Result<(u64, u64), StoreError> {
        let checkouts = include_str!("forget_checkouts.sql");
        let changes = include_str!("forget_changes.sql");
        let delete = async |sql| {
            let values = [before.into(), i64::from(most).into()];
            let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
            let deleted = self.db.execute_raw(statement).await?;
            Ok::<_, StoreError>(deleted.rows_affected())
        };
        Ok((delete(checkouts).await?, delete(changes).await?))
    }
}
