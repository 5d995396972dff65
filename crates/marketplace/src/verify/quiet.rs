//! The promise that nothing is left to do: no unsent event, no undelivered effect, no order that should have expired.

use chassis::clock::Clock;
use chrono::TimeDelta;

use super::Finding;
use super::stores::{Stores, ask};

/// How long after its end an unpaid order may still hold stock: the sweeper's interval and a fault.
const EXPIRY_GRACE: TimeDelta = TimeDelta::seconds(30);

/// # Errors
/// When a database does not answer.
pub(super) async fn look(stores: &Stores) -> anyhow::Result<Finding> {
    let promise = "nothing is left to do: no event unsent, no effect undelivered, no order overdue";
    let due = (Clock::system().now() - EXPIRY_GRACE).to_rfc3339();
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
    // An event that is sent and has no effect yet is on its way.
    let (sent, received) = (sent(stores).await?, received(stores).await?);
    if received < sent {
        finding.broken += sent - received;
        let lag = format!("{} sent events have no effect yet", sent - received);
        finding.examples.push(lag);
    }
    Ok(finding)
}

async fn sent(stores: &Stores) -> anyhow::Result<u64> {
    count(
        &stores.loms,
        "select (select count(*) from outbox where sent_at is not null) + (select count(*) from order_history)",
    )
    .await
}

async fn received(stores: &Stores) -> anyhow::Result<u64> {
    count(&stores.notifier, "select count(*) from inbox").await
}

async fn count(db: &chassis::postgres::DatabaseConnection, sql: &str) -> anyhow::Result<u64> {
    let nothing = "select null::text where false";
    Ok(ask(db, "I10", "", sql, nothing).await?.checked)
}
