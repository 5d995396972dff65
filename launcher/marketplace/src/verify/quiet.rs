//! The promise that nothing is left to do: no unsent event, no undelivered effect, no order that should have expired.

use std::time::Duration;

use anyhow::Context as _;
use chassis::{
    clock::Clock,
    postgres::{
        DatabaseConnection,
        sql::{Described, Sql},
    },
    row, sql,
};
use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Finding,
    stores::{Promise, Stores},
};

const ID: &str = "I10";
const PROMISE: &str =
    "nothing is left to do: no event unsent, no effect undelivered, no order overdue";

static UNSENT: Promise<(DateTime<Utc>,)> = Promise {
    id: ID,
    promise: PROMISE,
    sql: sql!("sql/unsent.sql"),
};
static UNDELIVERED: Promise = Promise {
    id: ID,
    promise: PROMISE,
    sql: sql!("sql/undelivered.sql"),
};

row! {
    struct CountRow {
        count: i64,
    }
}

type Count = Sql<(Option<DateTime<Utc>>,), CountRow>;

static COUNT_SENT: Count = sql!("sql/count_sent.sql");
static COUNT_RECEIVED: Count = sql!("sql/count_received.sql");

static COUNT_UNSENT: Sql<(), CountRow> = sql!("sql/count_unsent.sql");

/// The statements, for the order service's database.
pub(super) fn loms_statements() -> [&'static dyn Described; 3] {
    [&UNSENT.sql, &COUNT_SENT, &COUNT_UNSENT]
}

/// The statements, for the notifier's database.
pub(super) fn notifier_statements() -> [&'static dyn Described; 2] {
    [&UNDELIVERED.sql, &COUNT_RECEIVED]
}

/// How long after its end an unpaid order may still hold stock: the sweeper's interval and a fault.
const EXPIRY_GRACE: TimeDelta = TimeDelta::seconds(30);
/// How much earlier than the notifier forgets effects they are no longer counted: clocks differ, and looking takes time.
const FORGET_MARGIN: Duration = Duration::from_hours(24);

/// # Errors
/// When a database does not answer.
pub(super) async fn look(stores: &Stores) -> anyhow::Result<Finding> {
    let now = Clock::system().now();
    let mut finding = UNSENT.check(&stores.loms, (now - EXPIRY_GRACE,)).await?;
    let other = UNDELIVERED.check(&stores.notifier, ()).await?;
    finding.checked += other.checked;
    finding.broken += other.broken;
    finding.examples.extend(other.examples);
    // An event that is sent and has no effect yet is on its way, unless it is so old that its effect may be forgotten.
    let since = counted_since(now, stores.effects_kept);
    let sent = count(&stores.loms, &COUNT_SENT, since).await?;
    let received = count(&stores.notifier, &COUNT_RECEIVED, since).await?;
    if received < sent {
        finding.broken += sent - received;
        let lag = format!("{} sent events have no effect yet", sent - received);
        finding.examples.push(lag);
    }
    Ok(finding)
}

/// How many events are not sent.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn backlog(stores: &Stores) -> anyhow::Result<u64> {
    let row = COUNT_UNSENT.one(&stores.loms, ()).await?;
    Ok(row.context("a count has a row")?.count.unsigned_abs())
}

/// The moment of the oldest events whose effects are counted; none: all are.
fn counted_since(now: DateTime<Utc>, effects_kept: Duration) -> Option<DateTime<Utc>> {
    if effects_kept.is_zero() {
        return None;
    }
    let surely_kept = effects_kept - FORGET_MARGIN.min(effects_kept / 2);
    now.checked_sub_signed(TimeDelta::from_std(surely_kept).ok()?)
}

async fn count(
    db: &DatabaseConnection,
    statement: &Count,
    since: Option<DateTime<Utc>>,
) -> anyhow::Result<u64> {
    let row = statement.one(db, (since,)).await.context(ID)?;
    Ok(row.context("a count has a row")?.count.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_are_counted_as_far_back_as_none_is_forgotten() {
        let now = Clock::system().now();
        let hours = |kept| Some((now - counted_since(now, kept)?).num_hours());
        assert_eq!(hours(Duration::from_hours(30 * 24)), Some(29 * 24));
        assert_eq!(hours(Duration::from_hours(24)), Some(12));
        assert_eq!(hours(Duration::ZERO), None);
        assert_eq!(hours(Duration::MAX), None);
    }
}
