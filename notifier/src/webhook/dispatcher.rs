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

/// What the receiver made of the last events that it was offered.
struct Receiver {
    /// Rounds in a row in which it could not take one.
    failures: u32,
    /// Before this it is offered nothing.
    paused_until: DateTime<Utc>,
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
        let mut receiver = Receiver {
            failures: 0,
            paused_until: DateTime::<Utc>::MIN_UTC,
        };
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
                () = self.wake.notified(), if worked.is_ok() && receiver.accepts() => {}
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
        if now < receiver.paused_until {
            return Ok(false);
        }
        let lease_end = after(now, self.config.timeout + LEASE_MARGIN);
        // A receiver that took nothing is asked with one event whether it is back.
        let most = if receiver.accepts() {
            self.config.in_flight
        } else {
            1
        };
        let leased = queue::lease(&self.database, now, lease_end, most).await?;
        let posts = future::join_all(leased.iter().map(|leased| self.post(leased)));
        let Some(posted) = token.run_until_cancelled(posts).await else {
            // Another replica need not wait for the leases to run out.
            for leased in &leased {
                queue::release(&self.database, leased, leased.refusals, now).await?;
            }
            return Ok(false);
        };
        let outcomes: Vec<Outcome> = posted.into_iter().collect::<Result<_, _>>()?;
        receiver.observe(&outcomes, &self.config, self.clock.now());
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
            Outcome::Unavailable { retry_after, .. } => {
                let wait = retry_after.unwrap_or_default();
                self.try_later(leased, leased.refusals, wait).await?;
            }
            Outcome::Rejected(reason) if leased.refusals + 1 >= self.config.refusals => {
                if queue::park(&self.database, &self.topic, leased, reason).await? {
                    metrics::WEBHOOKS.with_label_values(&["parked"]).inc();
                    tracing::error!(event_id = %leased.event.event_id, %reason,
                        "webhook delivery parked in dead_letters");
                }
            }
            Outcome::Rejected(_) => {
                self.try_later(leased, leased.refusals + 1, Duration::ZERO)
                    .await?;
            }
        }
        Ok(outcome)
    }

    /// Gives the event back for the pause of its attempts, or for `wait` where that is longer.
    async fn try_later(&self, leased: &Leased, refusals: u32, wait: Duration) -> Result<(), DbErr> {
        metrics::WEBHOOKS.with_label_values(&["failed"]).inc();
        let pause = self.config.pause(leased.attempts).max(wait);
        let due_at = after(self.clock.now(), pause);
        queue::release(&self.database, leased, refusals, due_at).await
    }
}

impl Receiver {
    const fn accepts(&self) -> bool {
        self.failures == 0
    }

    /// Notes what came of one round. While the receiver takes nothing, each round waits longer, and as long as it asks for.
    /// Logs once that it is away, and once that it is back.
    fn observe(&mut self, outcomes: &[Outcome], config: &Config, now: DateTime<Utc>) {
        let mut reason = None;
        let mut wait = Duration::ZERO;
        for outcome in outcomes {
            if let Outcome::Unavailable {
                reason: told,
                retry_after,
            } = outcome
            {
                reason = Some(told);
                wait = wait.max(retry_after.unwrap_or_default());
            }
        }
        if let Some(reason) = reason {
            if self.accepts() {
                tracing::warn!(%reason, "the webhook's receiver accepts no events; they wait in webhook_queue");
            }
            self.failures = self.failures.saturating_add(1);
            self.paused_until = after(now, wait.max(config.pause(self.failures)));
        } else if outcomes.contains(&Outcome::Accepted) && !self.accepts() {
            tracing::info!("the webhook's receiver accepts events again");
            self.failures = 0;
        }
    }
}

fn after(now: DateTime<Utc>, pause: Duration) -> DateTime<Utc> {
    let pause = TimeDelta::from_std(pause).unwrap_or(TimeDelta::MAX);
    now.checked_add_signed(pause)
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}
