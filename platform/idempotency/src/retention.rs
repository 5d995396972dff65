//! How long responses are stored.

use std::time::Duration;

use chassis::{
    clock::Clock,
    retention::{self, Batch},
    tasks::Tasks,
};
use sea_orm::DatabaseConnection;

use crate::store;

/// How long responses are stored.
pub const RETENTION: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Deletes the keys of one database that are older than [`RETENTION`], at intervals and until the tasks' token. Any
/// number of processes may: rows that another one has locked are skipped.
pub fn start_retention(db: DatabaseConnection, clock: Clock, tasks: &Tasks) {
    retention::start("idempotency_keys", tasks, move || {
        let (db, clock) = (db.clone(), clock.clone());
        async move {
            let before = retention::cutoff(&db, &clock, RETENTION).await?;
            store::delete_before(&db, before, retention::BATCH)
                .await
                .map(Batch::of)
        }
    });
}
