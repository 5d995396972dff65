//! Deletes checkouts that ended 30 days ago; the keys of other changes are deleted by `idempotency`.
//!
//! A checkout that is still open stays, however old: it may have made an order. So does one that a younger key names.

use chassis::{
    clock::Clock,
    retention::{self, Batch},
    tasks::Tasks,
};

use crate::cart::store::PostgresCarts;

/// Deletes at intervals, in `tasks` until it is cancelled.
pub fn start(carts: PostgresCarts, clock: Clock, tasks: &Tasks) {
    idempotency::start_retention(carts.db.clone(), clock.clone(), tasks);
    retention::start("checkouts", tasks, move || {
        let (carts, clock) = (carts.clone(), clock.clone());
        async move {
            let before = retention::cutoff(&carts.db, &clock, idempotency::RETENTION).await?;
            let deleted = carts.delete_checkouts_before(before, retention::BATCH);
            deleted.await.map(Batch::of)
        }
    });
}
