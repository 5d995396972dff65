//! Forgets what nobody may ask for any more: checkouts that ended and answers under idempotency keys, 30 days after.
//!
//! A checkout that is still open stays, however old: it may have made an order. So does one that a younger key names.

use chassis::{
    clock::Clock,
    retention::{self, Batch},
    tasks::Tasks,
};

use crate::cart::store::PostgresCarts;

/// Forgets at intervals, in `tasks` until it is cancelled.
pub fn start(carts: PostgresCarts, clock: Clock, tasks: &Tasks) {
    let (of_changes, now) = (carts.clone(), clock.clone());
    retention::start("checkouts", tasks, move || {
        let before = retention::cutoff(&clock, idempotency::RETENTION);
        let carts = carts.clone();
        async move {
            let gone = carts.forget_checkouts(before, retention::BATCH).await;
            gone.map(Batch::of)
        }
    });
    retention::start("cart_changes", tasks, move || {
        let before = retention::cutoff(&now, idempotency::RETENTION);
        let carts = of_changes.clone();
        async move {
            let gone = carts.forget_changes(before, retention::BATCH).await;
            gone.map(Batch::of)
        }
    });
}
