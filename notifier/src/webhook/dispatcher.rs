//! Works the queue off: takes what is due, posts it, and notes the answer; until the token.

use std::{sync::Arc, time::Duration};

use chassis::{clock::Clock, postgres::DatabaseConnection};
use chrono::{DateTime, TimeDelta, Utc};
use futures::future;
use sea_orm::DbErr;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    config::Config,
    queue::{self, Taken},
    request::{Answer, BadWebhook, Poster},
};
use crate::metrics;

/// How often the queue is looked at when nobody wakes the courier: for retries, and for other replicas' rows.
const LOOK: Duration = Duration::from_millis(500);
/// How often the length of the queue is counted.
const WATCH: Duration = Duration::from_secs(5);
/// What a lease has beyond the longest request: time to note its answer.
const LEASE_MARGIN: Duration = Duration::from_secs(10);

/// Wakes the courier of this process.
pub(crate) type Wake = Arc<Notify>;

/// Posts what is queued.
pub(crate) struct Courier {
    config: Config,
    poster: Poster,
    database: DatabaseConnection,
    clock: Clock,
    topic: String,
    wake: Wake,
}

/// Shows how many events wait for the receiver, until the token.
pub(crate) async fn watch(database: DatabaseConnection, token: CancellationToken) {
    let mut ticks = tokio::time::interval(WATCH);
    while token.run_until_cancelled(ticks.tick()).await.is_some() {
        match queue::measure(&database).await {
            Ok(waiting) => metrics::WEBHOOK_QUEUE.set(waiting),
            Err(error) => tracing::debug!(%error, "the length of the webhook's queue is not known"),
        }
    }
}

/// Whether the receiver took the last event that it was offered.
struct Receiver {
    takes: bool,
}

impl Courier {
    /// # Errors
    /// [`BadWebhook`].
    pub(crate) fn new(
        config: Config,
        database: DatabaseConnection,
        clock: Clock,
        topic: String,
    ) -> Result<Self, BadWebhook> {
        Ok(Self {
            poster: Poster::new(&config)?,
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
        let mut receiver = Receiver { takes: true };
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
                () = tokio::time::sleep(LOOK) => {}
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
        let taken = queue::take(&self.database, now, lease_end, self.config.in_flight).await?;
        let posts = future::join_all(taken.iter().map(|taken| self.post(taken)));
        let Some(posted) = token.run_until_cancelled(posts).await else {
            // Another replica need not wait for the leases to run out.
            for taken in &taken {
                queue::give_back(&self.database, taken, taken.refusals, now).await?;
            }
            return Ok(false);
        };
        for outcome in posted {
            receiver.tell(outcome?);
        }
        Ok(!taken.is_empty())
    }

    /// Posts one event and notes the answer in the queue.
    async fn post(&self, taken: &Taken) -> Result<Answer, DbErr> {
        let answer = self.poster.post(&taken.event, self.clock.now()).await;
        match &answer {
            Answer::Taken => {
                queue::remove(&self.database, taken).await?;
                metrics::WEBHOOKS.with_label_values(&["taken"]).inc();
            }
            Answer::Away(_) => self.try_later(taken, taken.refusals).await?,
            Answer::Refused(reason) if taken.refusals + 1 >= self.config.refusals => {
                if queue::park(&self.database, &self.topic, taken, reason).await? {
                    metrics::WEBHOOKS.with_label_values(&["parked"]).inc();
                    tracing::error!(event_id = %taken.event.event_id, %reason,
                        "webhook delivery parked in dead_letters");
                }
            }
            Answer::Refused(_) => self.try_later(taken, taken.refusals + 1).await?,
        }
        Ok(answer)
    }

    async fn try_later(&self, taken: &Taken, refusals: u32) -> Result<(), DbErr> {
        metrics::WEBHOOKS.with_label_values(&["failed"]).inc();
        let due_at = after(self.clock.now(), self.config.pause(taken.attempts));
        queue::give_back(&self.database, taken, refusals, due_at).await
    }
}

impl Receiver {
    /// Tells once when the receiver goes, and once when it is back.
    fn tell(&mut self, answer: Answer) {
        match answer {
            Answer::Taken if !self.takes => {
                tracing::info!("the webhook's receiver takes events again");
                self.takes = true;
            }
            Answer::Away(reason) if self.takes => {
                tracing::warn!(%reason, "the webhook's receiver takes no events, they wait in webhook_queue");
                self.takes = false;
            }
            Answer::Taken | Answer::Away(_) | Answer::Refused(_) => {}
        }
    }
}

fn after(now: DateTime<Utc>, pause: Duration) -> DateTime<Utc> {
    let pause = TimeDelta::from_std(pause).unwrap_or(TimeDelta::MAX);
    now.checked_add_signed(pause)
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}
