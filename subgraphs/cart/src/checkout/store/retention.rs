//! Deletes checkouts that are past their retention, beside the changes of carts: no cart is locked for it.

use chassis::{
    postgres::{StoreError, sql::Sql, within},
    sql,
};
use chrono::{DateTime, Utc};

use crate::cart::store::PostgresCarts;

pub(crate) static DELETE_ENDED: Sql<(DateTime<Utc>, i64)> = sql!("delete_ended.sql");

impl PostgresCarts {
    /// Deletes up to `limit` ended checkouts that are older than `before`, each with its lines and keys; gives how many.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn delete_checkouts_before(
        &self,
        before: DateTime<Utc>,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let delete = DELETE_ENDED.execute(&self.db, (before, i64::from(limit)));
        Ok(within(&self.db, delete).await?)
    }
}
