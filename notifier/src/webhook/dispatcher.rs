//! Works the queue off: takes what is due, posts it, and notes the outcome, until the token.

use std::{sync::Arc, time::Duration};

use chassis::{clock::Clock, postgres::DatabaseConnection};
use chrono::{DateTime, TimeDelta, Utc};
use futures::future;
use sea_orm::DbErr;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    config::Config,
    http_client::{HttpClient, InvalidWebhook, Outcome},
    queue::{self, Leased},
};
use crate::metrics;

/// How often the queue is looked at when nobody wakes the dispatcher: for retries, and for other replicas' rows.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How often the length of the queue is counted.
const COUNT_INTERVAL: Duration = Duration::from_secs(5);
/// What a lease has beyond the longest request: time to note its outcome.
const LEASE_MARGIN: Duration = Duration::from_secs(10);

/// Wakes the dispatcher of this process.
pub(crate) type Wake = Arc<Notify>;

/// Posts what is queued.
pub(crate) struct Dispatcher {
    config: Config,
    http: HttpClient,
    database: DatabaseConnection,
    clock: Clock,
    topic: String,
    wake: Wake,
}

/// Shows how many events wait for the receiver, until the token.
pub(crate) async fn watch(database: DatabaseConnection, token: CancellationToken) {
    let mut ticks = tokio::time::interval(COUNT_INTERVAL);
    while token.run_until_cancelled(ticks.tick()).await.is_some() {
        match queue::count(&database).await {
            Ok(waiting) => metrics::WEBHOOK_QUEUE.set(i64::try_from(waiting).unwrap_or(i64::MAX)),
            Err(error) => tracing::debug!(%error, "the length of the webhook's queue is not known"),
        }
    }
}

/// Whether the receiver accepted the last event that it was offered.
struct Receiver {
    accepts: bool,
}

impl Dispatcher {
    /// # Errors
    /// [`InvalidWebhook`].
    pub(crate) fn new(
        config: Config,
        database: DatabaseConnection,
        clock: Clock,
        topic: String,
    ) -> Result<Self, InvalidWebhook> {
        Ok(Self {
            http: HttpClient::new(&config)?,
            config,
            database,
            clock,
            topic,
            wake: Wake::default(),
        })
    }

    pub(crate) fn wake(&self) -> Wake {
        self.wake.clone()
    }

    /// Works until the token.
    pub(crate) async fn run(self, token: CancellationToken) {
        let mut receiver = Receiver { accepts: true };
        while !token.is_cancelled() {
            let worked = self.round(&mut receiver, &token).await;
            if let Err(error) = &worked {
                tracing::debug!(%error, "the webhook waits for the database");
            }
            if matches!(worked, Ok(true)) {
                continue;
            }
            tokio::select! {
                () = token.cancelled() => return,
                () = self.wake.notified(), if worked.is_ok() => {}
                () = tokio::time::sleep(POLL_INTERVAL) => {}
            }
        }
    }

    /// One round; whether there was anything to do.
    async fn round(
        &self,
        receiver: &mut Receiver,
        token: &CancellationToken,
    ) -> Result<bool, DbErr> {
        let now = self.clock.now();
        let lease_end = after(now, self.config.timeout + LEASE_MARGIN);
        let leased = queue::lease(&self.database, now, lease_end, self.config.in_flight).await?;
        let posts = future::join_all(leased.iter().map(|leased| self.post(leased)));
        let Some(posted) = token.run_until_cancelled(posts).await else {
            // Another replica need not wait for the leases to run out.
            for leased in &leased {
                queue::release(&self.database, leased, leased.refusals, now).await?;
            }
            return Ok(false);
        };
        for outcome in posted {
            receiver.observe(outcome?);
        }
        Ok(!leased.is_empty())
    }

    /// Posts one event and notes the outcome in the queue.
    async fn post(&self, leased: &Leased) -> Result<Outcome, DbErr> {
        let outcome = self.http.post(&leased.event, self.clock.now()).await;
        match &outcome {
            Outcome::Accepted => {
                queue::remove(&self.database, leased).await?;
                metrics::WEBHOOKS.with_label_values(&["taken"]).inc();
            }
            Outcome::Unavailable(_) => self.try_later(leased, leased.refusals).await?,
            Outcome::Rejected(reason) if leased.refusals + 1 >= self.config.refusals => {
                if queue::park(&self.database, &self.topic, leased, reason).await? {
                    metrics::WEBHOOKS.with_label_values(&["parked"]).inc();
                    tracing::error!(event_id = %leased.event.event_id, %reason,
                        "webhook delivery parked in dead_letters");
                }
            }
            Outcome::Rejected(_) => self.try_later(leased, leased.refusals + 1).await?,
        }
        Ok(outcome)
    }

    async fn try_later(&self, leased: &Leased, refusals: u32) -> Result<(), DbErr> {
        metrics::WEBHOOKS.with_label_values(&["failed"]).inc();
        let due_at = after(self.clock.now(), self.config.pause(leased.attempts));
        queue::release(&self.database, leased, refusals, due_at).await
    }
}

impl Receiver {
    /// Logs once that the receiver is away, and once that it is back.
    fn observe(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Accepted if !self.accepts => {
                tracing::info!("the webhook's receiver accepts events again");
                self.accepts = true;
            }
            Outcome::Unavailable(reason) if self.accepts => {
                tracing::warn!(%reason, "the webhook's receiver accepts no events; they wait in webhook_queue");
                self.accepts = false;
            }
            Outcome::Accepted | Outcome::Unavailable(_) | Outcome::Rejected(_) => {}
        }
    }
}

fn after(now: DateTime<Utc>, pause: Duration) -> DateTime<Utc> {
    let pause = TimeDelta::from_std(pause).unwrap_or(TimeDelta::MAX);
    now.checked_add_signed(pause)
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}
