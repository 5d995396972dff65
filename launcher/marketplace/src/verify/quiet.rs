//! The promise that nothing is left to do: no unsent event, no undelivered effect, no order that should have expired.

use std::time::Duration;

use chassis::clock::Clock;
use chassis::postgres::DatabaseConnection;
use chrono::{DateTime, TimeDelta, Utc};

use super::Finding;
use super::stores::{Stores, ask};

/// How long after its end an unpaid order may still hold stock: the sweeper's interval and a fault.
const EXPIRY_GRACE: TimeDelta = TimeDelta::seconds(30);
/// How much earlier than the notifier forgets effects they are no longer counted: clocks differ, and looking takes time.
const FORGET_MARGIN: Duration = Duration::from_hours(24);

/// # Errors
/// When a database does not answer.
pub(super) async fn look(stores: &Stores) -> anyhow::Result<Finding> {
    let promise = "nothing is left to do: no event unsent, no effect undelivered, no order overdue";
    let now = Clock::system().now();
    let due = (now - EXPIRY_GRACE).to_rfc3339();
    let unsent = format!(
        "select format('event of order %s in version %s is not sent', order_id, version)
         from outbox where sent_at is null
         union all
         select format('order %s should have expired at %s', id, expires_at)
         from orders where status = 'awaiting payment' and expires_at < '{due}'"
    );
    let events = "select count(*) from outbox";
    let mut finding = ask(&stores.loms, "I10", promise, events, &unsent).await?;
    let undelivered =
        "select format('event of order %s in version %s is not delivered', order_id, version)
         from deliveries where delivered_at is null";
    let deliveries = "select count(*) from deliveries";
    let other = ask(&stores.notifier, "I10", promise, deliveries, undelivered).await?;
    finding.checked += other.checked;
    finding.broken += other.broken;
    finding.examples.extend(other.examples);
    // An event that is sent and has no effect yet is on its way, unless it is so old that its effect may be forgotten.
    let since = counted_since(now, stores.effects_kept);
    let since = since.map_or("-infinity".to_owned(), |since| since.to_rfc3339());
    let sent = sent(&stores.loms, &since).await?;
    let received = received(&stores.notifier, &since).await?;
    if received < sent {
        finding.broken += sent - received;
        let lag = format!("{} sent events have no effect yet", sent - received);
        finding.examples.push(lag);
    }
    Ok(finding)
}

/// The moment of the oldest events whose effects are counted; none: all are.
fn counted_since(now: DateTime<Utc>, effects_kept: Duration) -> Option<DateTime<Utc>> {
    if effects_kept.is_zero() {
        return None;
    }
    let surely_kept = effects_kept - FORGET_MARGIN.min(effects_kept / 2);
    now.checked_sub_signed(TimeDelta::from_std(surely_kept).ok()?)
}

async fn sent(loms: &DatabaseConnection, since: &str) -> anyhow::Result<u64> {
    let sql = format!(
        "select (select count(*) from outbox where sent_at is not null and moment >= '{since}')
              + (select count(*) from order_history where moment >= '{since}')"
    );
    count(loms, &sql).await
}

async fn received(notifier: &DatabaseConnection, since: &str) -> anyhow::Result<u64> {
    let sql = format!("select count(*) from deliveries where moment >= '{since}'");
    count(notifier, &sql).await
}

async fn count(db: &DatabaseConnection, sql: &str) -> anyhow::Result<u64> {
    let nothing = "select null::text where false";
    Ok(ask(db, "I10", "", sql, nothing).await?.checked)
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
