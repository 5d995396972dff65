//! The relay: sends the outbox's unsent rows to the topic, one sender a shard among all processes, and the events of other
//! topics from a table of their own, one sender a topic.
//!
//! Every process runs a relay; a session-level advisory lock decides who sends. The lock lives and dies with
//! the sender's database session, so a killed sender is replaced within `takeover_interval`. A sender that was
//! replaced without noticing can only repeat events, never lose or reorder them: readers drop repeats by
//! (order id, version). A sender that stands still keeps its session and its lock; the relays that wait see it by the age of
//! the oldest unsent event, and end that session. No row is given up: what the broker does not take now is tried again for good.
//!
//! The commit wakes the relay of its own process ([`RelayHandle::wake`]). If another process is the sender, the
//! woken relay passes it on with `NOTIFY`, from its own session: a `NOTIFY` inside the order's transaction
//! would make all committing transactions queue for Postgres's one notification lock. A wake lost in a crash
//! costs at most `poll_interval`.
//!
//! Sent rows stay for `retention`, to be sent again when a consumer lost its state; then the order's history has them.

mod epoch;
mod leader;
mod line;
mod metrics;
mod outage;
mod producer;
mod publish;
mod row;
mod store;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use chassis::{
    clock::Clock,
    health::{Component, Health},
    kafka, postgres,
    tasks::Tasks,
};
use rdkafka::error::KafkaError;
use schemars::JsonSchema;
use sea_orm::DatabaseConnection;
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, postgres::PgListener};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use leader::{Leader, Pass, Pause};
use line::{Line, Shard};
use outage::Outage;
pub(crate) use store::statements;

use crate::retention;

/// The channel on which relays wake each other.
const CHANNEL: &str = "outbox";

/// Settings of the relay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Senders that may work side by side, by order id; at least 1, the same in every process.
    #[schemars(range(min = 1))]
    pub shards: u32,
    /// Rows read, sent and marked together.
    #[schemars(range(min = 1))]
    pub batch: usize,
    /// Longest time until a commit is noticed when no wake arrived.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub poll_interval: Duration,
    /// How often a relay that is not the sender asks for the lock.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub takeover_interval: Duration,
    /// How long events may wait for a sender that does nothing at all, as that of a process that was stopped, before another relay
    /// ends its session and takes over.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub stalled_after: Duration,
    /// Longest wait for the broker's acknowledgement, in which another leader of a partition is found; then the row waits for the
    /// next pass, which looks first whether the topic is still the same.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub send_timeout: Duration,
    /// First pause after the broker failed; it doubles.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub backoff_min: Duration,
    /// Longest pause while the broker is away.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub backoff_max: Duration,
    /// How long a pass may go on after the process was told to stop.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub drain_timeout: Duration,
    /// How long a sent event stays in the outbox, where it can be sent again; then the order's history alone has it. 0: for ever.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::MayBeZero")]
    pub retention: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            shards: 1,
            batch: 1_000,
            poll_interval: Duration::from_secs(1),
            takeover_interval: Duration::from_millis(500),
            stalled_after: Duration::from_secs(8),
            send_timeout: Duration::from_secs(10),
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(2),
            drain_timeout: Duration::from_secs(2),
            retention: Duration::from_hours(7 * 24),
        }
    }
}

/// Why a relay's session ended. It is tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("database: {0}")]
    Session(#[from] sqlx::Error),
    #[error("producer: {0}")]
    Producer(#[source] KafkaError),
    #[error("broker: {0}")]
    Broker(#[source] KafkaError),
    #[error("topic: {0}")]
    Topic(#[source] kafka::TopicError),
    #[error("another Postgres takes the writes now")]
    Moved,
}

/// The relay of a process.
#[derive(Debug)]
pub struct Relay;

/// Wakes the relay. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RelayHandle {
    lines: Arc<[Wakes]>,
    /// This process committed: one of the lines that another process sends tells that process.
    pass_on: Arc<Notify>,
}

/// Why a line's relay may wake up. A wake from elsewhere is not passed on: it would come back, without end.
#[derive(Debug, Default)]
struct Wakes {
    /// This process committed.
    here: Notify,
    /// Another process did.
    elsewhere: Notify,
}

impl RelayHandle {
    /// Says that events were committed. Never blocks; calls that come close together count as one.
    pub fn wake(&self) {
        for line in self.lines.iter() {
            line.here.notify_one();
        }
        self.pass_on.notify_one();
    }

    /// The same of another process.
    fn wake_from_elsewhere(&self) {
        for line in self.lines.iter() {
            line.elsewhere.notify_one();
        }
    }
}

impl Relay {
    /// Starts the relay's tasks, for the order events in the topic of `kafka` and for `topics` beside it; they end at the tasks'
    /// token. Neither database nor broker must be reachable.
    ///
    /// The health component `outbox-relay` is about the database session alone: orders go on without a broker. That events
    /// wait for it says the companion `outbox-broker`, and for how long a metric.
    ///
    /// # Panics
    /// When `database` is not a Postgres connection.
    #[must_use]
    pub fn start(
        config: Config,
        database: DatabaseConnection,
        kafka: kafka::Config,
        topics: &[&'static str],
        clock: Clock,
        tasks: &Tasks,
        health: &Health,
    ) -> RelayHandle {
        metrics::announce();
        let shards = config.shards.max(1);
        let kafka = kafka::Config {
            delivery_timeout: config.send_timeout,
            ..kafka
        };
        let orders = (0..shards).map(|number| Line::Orders(Shard { number, of: shards }));
        let topics = topics.iter().map(|name| Line::Topic(name));
        let lines: Vec<Line> = orders.chain(topics).collect();
        let handle = RelayHandle {
            lines: lines.iter().map(|_| Wakes::default()).collect(),
            pass_on: Arc::default(),
        };
        let outage = Outage::new(health.companion("outbox-broker"));
        retention::start(&database, &clock, config.retention, tasks);
        for (place, line) in lines.into_iter().enumerate() {
            let relay = LineRelay {
                line,
                place,
                database: database.clone(),
                kafka: match line {
                    Line::Orders(_) => kafka.clone(),
                    Line::Topic(name) => kafka.beside(name),
                },
                clock: clock.clone(),
                config: config.clone(),
                handle: handle.clone(),
                health: health.component("outbox-relay"),
                outage: outage.clone(),
                token: tasks.token(),
            };
            tasks.spawn("outbox relay", relay.run());
        }
        tasks.spawn(
            "outbox listener",
            listen(database, handle.clone(), tasks.token()),
        );
        handle
    }
}

/// Passes other processes' wakes on to this one.
async fn listen(database: DatabaseConnection, handle: RelayHandle, token: CancellationToken) {
    let listening = async {
        loop {
            tokio::select! {
                biased;
                () = postgres::moved(&database) => {}
                Err(error) = forward_wakes(&database, &handle) => {
                    tracing::debug!(%error, "outbox listener lost its connection");
                }
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        () = token.cancelled() => {}
        () = listening => {}
    }
}

async fn forward_wakes(
    database: &DatabaseConnection,
    handle: &RelayHandle,
) -> Result<(), sqlx::Error> {
    let pool = database.get_postgres_connection_pool();
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        // `None` says that the connection was lost and made anew: something may have been missed.
        listener.try_recv().await?;
        handle.wake_from_elsewhere();
    }
}

/// The relay of one line in this process.
struct LineRelay {
    line: Line,
    /// Among the handle's lines.
    place: usize,
    database: DatabaseConnection,
    kafka: kafka::Config,
    clock: Clock,
    config: Config,
    handle: RelayHandle,
    health: Component,
    outage: Outage,
    token: CancellationToken,
}

impl LineRelay {
    async fn run(self) {
        while !self.token.is_cancelled() {
            metrics::LEADER
                .with_label_values(&[&self.line.name()])
                .set(0);
            self.outage.tell(self.line, false);
            if let Err(broken) = self.serve().await {
                self.health.down(broken.to_string());
                tracing::warn!(shard = %self.line.name(), error = %broken, "outbox relay starts anew");
                self.pause(self.config.takeover_interval).await;
            }
        }
    }

    /// Serves with one session, and not after a failover: the session may live on in a server that was replaced.
    async fn serve(&self) -> Result<(), Broken> {
        tokio::select! {
            biased;
            () = postgres::moved(&self.database) => Err(Broken::Moved),
            served = self.serve_session() => served,
        }
    }

    /// One database session: wait for the lock, then send.
    async fn serve_session(&self) -> Result<(), Broken> {
        // Detached: the session is the lock, so it must never go back to the pool.
        let acquired = tokio::select! {
            () = self.token.cancelled() => return Ok(()),
            acquired = self.database.get_postgres_connection_pool().acquire() => acquired?,
        };
        let mut connection = acquired.detach();
        store::fail_fast(&mut connection).await?;
        self.health.up();
        if !self.win_lock(&mut connection).await? {
            return Ok(());
        }
        tracing::info!(
            shard = %self.line.name(),
            "this process sends the events"
        );
        metrics::LEADER
            .with_label_values(&[&self.line.name()])
            .set(1);
        let (kafka, clock, config) = (self.kafka.clone(), self.clock.clone(), self.config.clone());
        let leader = Leader::new(connection, self.line, kafka, clock, config)?;
        self.lead(leader).await
    }

    /// Waits for the line's lock and passes wakes on meanwhile. False at the end of the process.
    async fn win_lock(&self, connection: &mut PgConnection) -> Result<bool, Broken> {
        while !store::try_lock(connection, self.line).await? {
            self.look_after_sender(connection).await?;
            tokio::select! {
                () = self.token.cancelled() => return Ok(false),
                () = self.handle.pass_on.notified() => store::notify(connection, CHANNEL).await?,
                () = tokio::time::sleep(self.config.takeover_interval) => {}
            }
        }
        Ok(true)
    }

    /// Reports the age of the oldest unsent event as the sender does, and ends a sender that stands still.
    async fn look_after_sender(&self, connection: &mut PgConnection) -> Result<(), Broken> {
        let age = store::unsent_age(connection, self.line).await?;
        metrics::OLDEST_UNSENT
            .with_label_values(&[self.line.topic()])
            .set(age.as_secs_f64());
        let limit = self.config.stalled_after;
        if age > limit && store::end_sender(connection, self.line, limit).await? {
            tracing::warn!(
                shard = %self.line.name(),
                "the sender of the order events stood still: its session is ended"
            );
        }
        Ok(())
    }

    async fn lead(&self, mut leader: Leader) -> Result<(), Broken> {
        loop {
            let stopping = self.token.is_cancelled();
            tokio::select! {
                biased;
                passed = leader.pass() => self.outage.tell(self.line, passed? == Pass::Held),
                () = self.drained() => return Ok(()),
            }
            if stopping {
                return Ok(());
            }
            match leader.pause() {
                Pause::UntilWoken(limit) => tokio::select! {
                    () = self.wakes().here.notified() => {}
                    () = self.wakes().elsewhere.notified() => {}
                    () = self.pause(limit) => {}
                },
                Pause::Backoff(limit) => self.pause(limit).await,
            }
        }
    }

    fn wakes(&self) -> &Wakes {
        &self.handle.lines[self.place]
    }

    /// Sleeps, or less when the process stops.
    async fn pause(&self, limit: Duration) {
        tokio::select! {
            () = self.token.cancelled() => {}
            () = tokio::time::sleep(limit) => {}
        }
    }

    /// Ends when the process was told to stop and the time to finish is over.
    async fn drained(&self) {
        self.token.cancelled().await;
        tokio::time::sleep(self.config.drain_timeout).await;
    }
}
