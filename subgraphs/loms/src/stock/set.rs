//! An operator sets the units on hand: compare and swap on the total that was read.

use ::schema::id::Sku;
use chassis::{
    deadline,
    postgres::{self, within},
};
use chrono::{DateTime, Utc};
use idempotency::{Call, Recorded};
use loms_domain::stock::{MAX_UNITS, SetTotalError, StockRow};
use sea_orm::{DatabaseTransaction, TransactionTrait as _};
use serde::{Deserialize, Serialize};

use super::{
    Stocks,
    error::Error,
    model::{SetStock, Stock},
    store,
};
use crate::{access::Caller, retry};

/// How an outcome is stored beside its key. Invariant: what a release wrote, a later one reads.
#[derive(Debug, Serialize, Deserialize)]
enum StoredResponse {
    Done { total: i64, reserved: i64 },
    OutOfRange,
    Stale { actual: i64 },
    BelowReserved { reserved: i64 },
}

impl StoredResponse {
    fn of(result: Result<StockRow, SetTotalError>) -> Self {
        match result {
            Ok(row) => Self::Done {
                total: row.total,
                reserved: row.reserved,
            },
            Err(SetTotalError::OutOfRange) => Self::OutOfRange,
            Err(SetTotalError::Stale { actual }) => Self::Stale { actual },
            Err(SetTotalError::BelowReserved { reserved }) => Self::BelowReserved { reserved },
        }
    }

    fn into_result(self, sku: Sku) -> Result<Stock, SetTotalError> {
        match self {
            Self::Done { total, reserved } => Ok(Stock(StockRow {
                sku,
                total,
                reserved,
            })),
            Self::OutOfRange => Err(SetTotalError::OutOfRange),
            Self::Stale { actual } => Err(SetTotalError::Stale { actual }),
            Self::BelowReserved { reserved } => Err(SetTotalError::BelowReserved { reserved }),
        }
    }
}

impl Stocks {
    /// Sets the units on hand; a SKU that had none gets a row.
    ///
    /// # Errors
    /// [`SetTotalError`] when the total is out of range, stale, or below what orders hold.
    pub async fn set(&self, caller: &Caller, set: SetStock) -> Result<Recorded<Stock>, Error> {
        let call = caller
            .key
            .clone()
            .map(|key| Call::new(caller.user, "setStock", key, &set));
        let call = call.transpose()?;
        let recorded = retry::on_conflict(|| self.try_set(set, call.as_ref())).await?;
        if let Some(relay) = self.relay.as_ref().filter(|_| !recorded.replayed) {
            relay.wake();
        }
        Ok(Recorded {
            value: recorded.value.into_result(set.sku)?,
            replayed: recorded.replayed,
        })
    }

    async fn try_set(
        &self,
        set: SetStock,
        call: Option<&Call>,
    ) -> Result<Recorded<StoredResponse>, Error> {
        within(&self.db, async {
            let now = postgres::now(&self.db, &self.clock);
            let tx = self.db.begin().await?;
            let recorded = idempotency::once(&tx, call, self.clock.now(), async || {
                set_locked(&tx, set, now).await.map(StoredResponse::of)
            })
            .await?;
            deadline::decide();
            tx.commit().await?;
            Ok(recorded)
        })
        .await
    }
}

/// Locks, decides, writes. The outer error is a fault, the inner one a refusal.
async fn set_locked(
    tx: &DatabaseTransaction,
    set: SetStock,
    now: DateTime<Utc>,
) -> Result<Result<StockRow, SetTotalError>, Error> {
    let mut rows = store::lock(tx, [set.sku]).await?;
    let legal = (0..=MAX_UNITS).contains(&set.total);
    if rows.find(set.sku).is_none() && set.expected.is_none() && legal {
        store::create(tx, set.sku).await?;
        rows = store::lock(tx, [set.sku]).await?;
    }
    let before = rows.find(set.sku).map_or(0, |row| row.total);
    let decided = rows.set_total(set.sku, set.total, set.expected);
    if let Ok(row) = decided {
        store::write(tx, &rows.changed(), now).await?;
        store::shift_baseline(tx, set.sku, row.total - before).await?;
    }
    Ok(decided)
}
