//! The one sender of a line: passes over the unsent rows while its session holds the lock.
//!
//! A pass walks the unsent rows from the lowest id in pages. Ids of concurrent transactions become visible out
//! of order, so every pass starts at the beginning: what matters is the predicate "unsent", never the last id.

use std::{collections::HashSet, time::Duration};

use chassis::{clock::Clock, crash, kafka};
use rdkafka::error::{KafkaError, RDKafkaErrorCode::UnknownTopicOrPartition};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    Broken, Config, epoch, line::Line, metrics, producer::Publisher, publish, row::Acked, store,
};

/// Rows that a pass tries when the last one failed: enough to find out, little enough to wait for.
const PROBE: usize = 32;

/// How a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    /// Every row that was visible at its start is sent.
    Clear,
    /// Some were not acknowledged.
    Held,
    /// Some were acknowledged, and the database had no room for the mark.
    Unmarked,
}

/// A session that holds the lock of a line, and what it sends with.
#[derive(Debug)]
pub(crate) struct Leader {
    connection: PgConnection,
    line: Line,
    publisher: Publisher,
    kafka: kafka::Config,
    clock: Clock,
    config: Config,
    /// `None` until checked against the topic, and again after the broker was away.
    epoch: Option<Uuid>,
    failures: u32,
    /// Acknowledged rows that could not be marked. They are marked before anything else is sent: without this memory each pass
    /// would send them again, and fill the topic for as long as the disk is full.
    unmarked: Vec<Acked>,
}

impl Leader {
    /// A leader over a connection that holds the line's lock, for the topic of `kafka`.
    pub(crate) fn new(
        connection: PgConnection,
        line: Line,
        kafka: kafka::Config,
        clock: Clock,
        config: Config,
    ) -> Result<Self, Broken> {
        let publisher = Publisher::new(&kafka).map_err(Broken::Producer)?;
        Ok(Self {
            connection,
            line,
            publisher,
            kafka,
            clock,
            config,
            epoch: None,
            failures: 0,
            unmarked: Vec::new(),
        })
    }

    /// Sends what is unsent. The pause before the next pass is [`Leader::pause`].
    ///
    /// # Errors
    /// [`Broken`] when the session is lost, and with it the lock. A broker that fails is not an error here.
    ///
    /// # Cancel safety
    /// Dropping the future may leave acknowledged rows unmarked: they are sent again, and readers drop repeats.
    pub(crate) async fn pass(&mut self) -> Result<Pass, Broken> {
        let pass = match self.send_pages().await {
            Ok(pass) => pass,
            Err(Broken::Broker(error)) => {
                tracing::debug!(%error, "the broker does not answer");
                metrics::ERRORS.inc();
                Pass::Held
            }
            Err(Broken::Topic(error)) => {
                if self.failures == 0 {
                    tracing::warn!(%error, "the topic is not there and was not made");
                }
                metrics::ERRORS.inc();
                Pass::Held
            }
            Err(broken) => return Err(broken),
        };
        self.settle(pass)?;
        let age = match pass {
            Pass::Clear => Duration::ZERO,
            Pass::Held | Pass::Unmarked => {
                store::unsent_age(&mut self.connection, self.line).await?
            }
        };
        metrics::OLDEST_UNSENT
            .with_label_values(&[self.line.topic()])
            .set(age.as_secs_f64());
        Ok(pass)
    }

    async fn send_pages(&mut self) -> Result<Pass, Broken> {
        let unmarked = std::mem::take(&mut self.unmarked);
        if !self.mark(unmarked).await? {
            return Ok(Pass::Unmarked);
        }
        let epoch = self.verified_epoch().await?;
        let limit = if self.failures == 0 {
            self.config.batch
        } else {
            PROBE
        };
        let (mut after, mut blocked) = (0, HashSet::new());
        loop {
            let page = store::list_unsent(&mut self.connection, self.line, after, limit).await?;
            if !page.rows.is_empty() {
                after = page.last;
                crash::at("relay::after_read");
                let publisher = &self.publisher;
                let sent = publish::send_page(page.rows, &mut blocked, |message| {
                    publisher.send(message, epoch)
                })
                .await;
                let none_acked = sent.acked.is_empty();
                count(&sent);
                if !self.mark(sent.acked).await? {
                    return Ok(Pass::Unmarked);
                }
                if none_acked && sent.broker_faults > 0 {
                    return Ok(Pass::Held);
                }
            }
            if !page.full {
                return Ok(if blocked.is_empty() {
                    Pass::Clear
                } else {
                    Pass::Held
                });
            }
        }
    }

    async fn verified_epoch(&mut self) -> Result<Uuid, Broken> {
        if let Some(epoch) = self.epoch {
            return Ok(epoch);
        }
        let verified = epoch::verify(
            &mut self.connection,
            self.line,
            &self.publisher,
            &self.clock,
        )
        .await;
        if let Err(Broken::Broker(KafkaError::MetadataFetch(UnknownTopicOrPartition))) = verified {
            tracing::info!(topic = %self.kafka.topic, "creating the topic");
            let made = kafka::ensure_topic(&self.kafka).await;
            made.map_err(Broken::Topic)?;
        }
        let epoch = verified?;
        self.epoch = Some(epoch);
        Ok(epoch)
    }

    /// Marks rows as sent; false when the database has no room for it, and then they are kept for the next pass.
    async fn mark(&mut self, acked: Vec<Acked>) -> Result<bool, Broken> {
        if acked.is_empty() {
            return Ok(true);
        }
        // Died here, the rows are sent again: readers drop repeats.
        crash::at("relay::after_acknowledgement");
        let now = self.clock.now();
        let marked = store::mark_sent(&mut self.connection, self.line, &acked, now).await;
        match marked {
            Err(error) if store::is_disk_full(&error) => {
                self.unmarked = acked;
                Ok(false)
            }
            marked => Ok(marked.map(|()| true)?),
        }
    }

    /// Counts failures and replaces a producer that gave up.
    fn settle(&mut self, pass: Pass) -> Result<(), Broken> {
        match pass {
            Pass::Clear => {
                if self.failures > 0 {
                    tracing::info!(shard = %self.line.name(), "order events flow again");
                }
                self.failures = 0;
            }
            Pass::Held => {
                if self.failures == 0 {
                    tracing::warn!(
                        shard = %self.line.name(),
                        "order events wait for the broker, orders go on"
                    );
                }
                self.failures = self.failures.saturating_add(1);
                // The topic may be another one when the broker is back.
                self.epoch = None;
                if self.publisher.is_broken() {
                    self.publisher = Publisher::new(&self.kafka).map_err(Broken::Producer)?;
                }
            }
            Pass::Unmarked => {
                if self.failures == 0 {
                    tracing::warn!(
                        shard = %self.line.name(),
                        "no more events are sent: the database has no room to mark those that are"
                    );
                }
                self.failures = self.failures.saturating_add(1);
            }
        }
        Ok(())
    }

    /// How long to wait before the next pass, unless woken; and whether waking counts.
    pub(crate) fn pause(&self) -> Pause {
        if self.failures == 0 {
            return Pause::UntilWoken(self.config.poll_interval);
        }
        let doubled = self.config.backoff_min * 2_u32.saturating_pow(self.failures.min(16) - 1);
        Pause::Backoff(doubled.min(self.config.backoff_max))
    }
}

fn count(sent: &publish::Sent) {
    let acked = u32::try_from(sent.acked.len()).unwrap_or(u32::MAX);
    metrics::BATCH.observe(f64::from(acked));
    metrics::SENT.inc_by(acked.into());
    metrics::ERRORS.inc_by((sent.message_faults + sent.broker_faults) as u64);
}

/// The pause between two passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pause {
    /// Ends at a commit, or after this long.
    UntilWoken(Duration),
    /// Ends after this long: new events don't make the broker come back.
    Backoff(Duration),
}
