//! The time by the server that all processes share: what is past its time is decided by that, so that a machine whose clock is
//! wrong cancels nobody's orders and forgets nobody's keys.

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use prometheus::{GaugeVec, register_gauge_vec};
use sea_orm::{DatabaseConnection, DbErr};

use super::{error::StoreError, link::Link, sql::Sql, within::within};
use crate::{clock::Clock, row, sql};

row! {
    pub(crate) struct NowRow {
        now: DateTime<Utc>,
    }
}

pub(crate) static NOW: Sql<(), NowRow> = sql!("now.sql");

static SKEW: LazyLock<GaugeVec> = LazyLock::new(|| {
    register_gauge_vec!(
        "marketplace_postgres_clock_skew_seconds",
        "By how much the server's clock is ahead of this machine's",
        &["database"]
    )
    .expect("the name is registered once")
});

/// The server's time, asked for now; a clock that a test holds still is believed instead.
///
/// # Errors
/// When the server does not answer.
pub async fn server_now(
    db: &DatabaseConnection,
    clock: &Clock,
) -> Result<DateTime<Utc>, StoreError> {
    if clock.is_manual() {
        return Ok(clock.now());
    }
    let row = within(db, NOW.one(db, ())).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("the server's time".to_owned()))?;
    Ok(row.now)
}

/// The time for what is written now: the machine's, or the server's when the probe of `db` has found the machine's to be wrong by
/// more than five seconds.
#[must_use]
pub fn now(db: &DatabaseConnection, clock: &Clock) -> DateTime<Utc> {
    let now = clock.now();
    if clock.is_manual() {
        return now;
    }
    let skew = Link::of(db).and_then(|link| link.skew());
    skew.and_then(|skew| now.checked_add_signed(skew))
        .unwrap_or(now)
}

/// Shows the skew that a probe has found.
pub(crate) fn show_skew(database: &str, skew: chrono::TimeDelta) {
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let seconds = skew.num_milliseconds() as f64 / 1_000.0;
    SKEW.with_label_values(&[database]).set(seconds);
}
