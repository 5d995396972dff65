//! The one sender of a line: passes over the unsent rows while its session holds the lock.
//!
//! A pass walks the unsent rows from the lowest id in pages, again and again while some of them wait for the broker. Ids of concurrent transactions become visible out
//! of order, so every pass starts at the beginning: what matters is the predicate "unsent", never the last id.

use std::time::Duration;

use chassis::{clock::Clock, crash, kafka};
use rdkafka::error::{KafkaError, RDKafkaErrorCode::UnknownTopicOrPartition};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    Broken, Config, epoch,
    line::Line,
    metrics,
    producer::Publisher,
    publish::{Faults, Flight, Sent},
    row::Acked,
    store,
};

/// Rows that a pass tries first when the last one failed: enough to find out, little enough to wait for.
const PROBE: usize = 32;
/// How long what does not wait for the broker is held up by what does. Meanwhile the session is used, by which others see that
/// its sender works.
const TICK: Duration = Duration::from_millis(500);
/// Rows under way beyond which no page is read.
const UNDER_WAY_MAX: usize = 10_000;
/// Rows that are read at a time, those under way among them.
const READ_MAX: usize = 2 * UNDER_WAY_MAX;

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
    /// The broker acknowledged nothing at all the last time.
    is_unanswered: bool,
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
            is_unanswered: false,
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
        match pass {
            Pass::Clear => self.show_age(Duration::ZERO),
            Pass::Held | Pass::Unmarked => self.tell_age().await?,
        }
        Ok(pass)
    }

    async fn send_pages(&mut self) -> Result<Pass, Broken> {
        if !self.mark_kept().await? {
            return Ok(Pass::Unmarked);
        }
        let epoch = self.verified_epoch().await?;
        let mut flight = self.flight(epoch);
        let (mut faults, mut acked, mut is_marked) = (Faults::default(), 0, true);
        let (mut is_probe, mut there_is_more) = (self.is_unanswered, true);
        loop {
            // What failed is for the next pass, which looks at the topic first.
            let is_open = is_marked && faults.of_broker == 0;
            if is_open && !(is_probe && flight.rows() > 0) {
                there_is_more = self.fill(&mut flight, is_probe).await?;
            }
            let sent = flight.land(TICK).await;
            count(&sent);
            faults += sent.faults;
            acked += sent.acked.len();
            is_marked = self.mark(sent.acked).await? && is_marked;
            if flight.rows() > 0 {
                self.tell_age().await?;
                continue;
            }
            is_probe = false;
            self.is_unanswered = acked == 0 && faults.of_broker > 0;
            if !is_marked {
                return Ok(Pass::Unmarked);
            } else if faults.of_broker > 0 || !there_is_more {
                let is_clear = faults.all() == 0;
                return Ok(if is_clear { Pass::Clear } else { Pass::Held });
            }
        }
    }

    fn flight(&self, epoch: Uuid) -> Flight {
        let publisher = self.publisher.clone();
        Flight::new(move |message| {
            let publisher = publisher.clone();
            Box::pin(async move { publisher.send(message, epoch).await })
        })
    }

    /// Sends what is unsent and not under way; says whether there is more. A backlog is not read again and again while it is sent:
    /// what is read is bounded, and is read when half of what may be under way has landed.
    async fn fill(&mut self, flight: &mut Flight, is_probe: bool) -> Result<bool, Broken> {
        let limit = if is_probe { PROBE } else { self.config.batch };
        if flight.rows() > UNDER_WAY_MAX / 2 {
            return Ok(true);
        }
        let (mut after, mut passed, mut rows) = (0, 0, Vec::new());
        let is_full = loop {
            let page = store::list_unsent(&mut self.connection, self.line, after, limit).await?;
            (after, passed) = (page.last, passed + page.rows.len());
            rows.extend(page.rows.into_iter().filter(|row| flight.is_open(row)));
            let is_enough = flight.rows() + rows.len() >= UNDER_WAY_MAX || passed >= READ_MAX;
            if !page.full || is_probe || is_enough {
                break page.full;
            }
        };
        if rows.is_empty() {
            return Ok(is_full && flight.rows() > 0);
        }
        crash::at("relay::after_read");
        flight.add(rows);
        Ok(is_full)
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

    /// Marks rows as sent, and those that could not be marked before; false when the database has no room for it.
    async fn mark(&mut self, acked: Vec<Acked>) -> Result<bool, Broken> {
        if acked.is_empty() {
            return Ok(true);
        }
        // Died here, the rows are sent again: readers drop repeats.
        crash::at("relay::after_acknowledgement");
        self.unmarked.extend(acked);
        self.mark_kept().await
    }

    async fn mark_kept(&mut self) -> Result<bool, Broken> {
        if self.unmarked.is_empty() {
            return Ok(true);
        }
        let (now, line) = (self.clock.now(), self.line);
        let marking = store::mark_sent(&mut self.connection, line, &self.unmarked, now);
        match marking.await {
            Err(error) if store::is_disk_full(&error) => Ok(false),
            marked => {
                self.unmarked.clear();
                Ok(marked.map(|()| true)?)
            }
        }
    }

    /// Shows how long events wait. Asked on the session, it tells the relays that wait that this one works.
    async fn tell_age(&mut self) -> Result<(), Broken> {
        let age = store::unsent_age(&mut self.connection, self.line).await?;
        self.show_age(age);
        Ok(())
    }

    fn show_age(&self, age: Duration) {
        metrics::OLDEST_UNSENT
            .with_label_values(&[self.line.topic()])
            .set(age.as_secs_f64());
    }

    /// Counts failures and replaces a producer that gave up.
    fn settle(&mut self, pass: Pass) -> Result<(), Broken> {
        self.log(pass);
        self.failures = match pass {
            Pass::Clear => 0,
            Pass::Held | Pass::Unmarked => self.failures.saturating_add(1),
        };
        if pass == Pass::Held {
            // The topic may be another one when the broker is back.
            self.epoch = None;
            if self.publisher.is_broken() {
                self.publisher = Publisher::new(&self.kafka).map_err(Broken::Producer)?;
            }
        }
        Ok(())
    }

    /// Says once when events begin to wait, and when they flow again.
    fn log(&self, pass: Pass) {
        let shard = self.line.name();
        match (pass, self.failures) {
            (Pass::Clear, 1..) => tracing::info!(shard, "order events flow again"),
            (Pass::Held, 0) => {
                tracing::warn!(shard, "order events wait for the broker, orders go on");
            }
            (Pass::Unmarked, 0) => tracing::warn!(
                shard,
                "no more events are sent: the database has no room to mark those that are"
            ),
            _ => {}
        }
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

fn count(sent: &Sent) {
    let acked = u32::try_from(sent.acked.len()).unwrap_or(u32::MAX);
    if sent.acked.is_empty() && sent.faults.all() == 0 {
        return;
    }
    metrics::BATCH.observe(f64::from(acked));
    metrics::SENT.inc_by(acked.into());
    metrics::ERRORS.inc_by(sent.faults.all() as u64);
}

/// The pause between two passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pause {
    /// Ends at a commit, or after this long.
    UntilWoken(Duration),
    /// Ends after this long: new events don't make the broker come back.
    Backoff(Duration),
}
