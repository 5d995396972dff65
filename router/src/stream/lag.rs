//! How far streams are behind: from a change, or from the stream's begin where that came later, until the transport has taken
//! its frame and asks for the next. Every stream counts, also one that catches up or whose client is slow.

use std::{
    collections::HashMap,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use chassis::clock::Clock;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use prometheus::{
    Opts,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use tracing::Span;

use super::metrics;

/// What a stream that has nothing to deliver says.
const IDLE: i64 = i64::MAX;

/// One stream's lag; counted until it is dropped.
#[derive(Debug)]
pub(super) struct Lag {
    opened_at: DateTime<Utc>,
    /// The frame that the transport has.
    handed: Option<(DateTime<Utc>, Span)>,
    id: u64,
    waiting: Arc<Waiting>,
}

/// What of a stream others see.
#[derive(Debug)]
struct Waiting {
    clock: Clock,
    /// Since when what it delivers waits, in milliseconds of the Unix epoch.
    since: AtomicI64,
}

impl Waiting {
    /// How long what it delivers has waited.
    fn age(&self) -> Duration {
        let since = self.since.load(Ordering::Relaxed);
        let since = DateTime::from_timestamp_millis(since).filter(|_| since != IDLE);
        let age = since.and_then(|since| (self.clock.now() - since).to_std().ok());
        age.unwrap_or_default()
    }
}

impl Lag {
    /// Of a stream that begins now.
    pub(super) fn of_a_stream(clock: Clock) -> Self {
        let opened_at = clock.now();
        let since = AtomicI64::new(IDLE);
        let waiting = Arc::new(Waiting { clock, since });
        Self {
            opened_at,
            handed: None,
            id: OLDEST.add(Arc::clone(&waiting)),
            waiting,
        }
    }

    /// An event that happened at `moment` is the next to be delivered.
    pub(super) fn works_on(&self, moment: DateTime<Utc>) {
        let since = moment.max(self.opened_at).timestamp_millis();
        self.waiting.since.store(since, Ordering::Relaxed);
    }

    /// The transport has the frame of an event that happened at `moment`.
    pub(super) fn hand_over(&mut self, moment: DateTime<Utc>, span: Span) {
        self.works_on(moment);
        self.handed = Some((moment.max(self.opened_at), span));
    }

    /// The transport asks for more: what it had is written.
    pub(super) fn is_written(&mut self) {
        if let Some((moment, span)) = self.handed.take() {
            let age = (self.waiting.clock.now() - moment)
                .to_std()
                .unwrap_or_default();
            metrics::EVENT_TO_FRAME.observe_in(&span, &[], age.as_secs_f64());
        }
        self.waiting.since.store(IDLE, Ordering::Relaxed);
    }
}

impl Drop for Lag {
    fn drop(&mut self) {
        OLDEST.streams.lock().remove(&self.id);
    }
}

type Streams = Arc<Mutex<HashMap<u64, Arc<Waiting>>>>;

/// The streams that are open, and what the slowest of them is behind when somebody asks.
struct Oldest {
    streams: Streams,
    next: AtomicU64,
}

static OLDEST: LazyLock<Oldest> = LazyLock::new(|| {
    let streams = Arc::default();
    let gauge = OldestGauge::new(Arc::clone(&streams));
    prometheus::register(Box::new(gauge)).expect("registered once");
    Oldest {
        streams,
        next: AtomicU64::new(0),
    }
});

/// Shows the gauge before the first stream.
pub(super) fn announce() {
    LazyLock::force(&OLDEST);
}

impl Oldest {
    fn add(&self, waiting: Arc<Waiting>) -> u64 {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.streams.lock().insert(id, waiting);
        id
    }
}

/// Computed when it is read: nobody updates it while nothing happens.
struct OldestGauge {
    streams: Streams,
    gauge: prometheus::Gauge,
}

impl OldestGauge {
    fn new(streams: Streams) -> Self {
        let options = Opts::new(
            "marketplace_router_oldest_frame_seconds",
            "How long the frame that waits longest has waited to be written, of all streams.",
        );
        let gauge = prometheus::Gauge::with_opts(options).expect("a valid name");
        Self { streams, gauge }
    }

    fn oldest(&self) -> f64 {
        let streams = self.streams.lock();
        let oldest = streams.values().map(|waiting| waiting.age()).max();
        oldest.unwrap_or_default().as_secs_f64()
    }
}

impl Collector for OldestGauge {
    fn desc(&self) -> Vec<&Desc> {
        self.gauge.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.gauge.set(self.oldest());
        self.gauge.collect()
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_stream_that_catches_up_is_behind_since_its_begin_and_not_since_the_change() {
        let start = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let clock = Clock::manual(start);
        let mut lag = Lag::of_a_stream(clock.clone());
        let age = |lag: &Lag| lag.waiting.age().as_secs();
        assert_eq!(age(&lag), 0);
        lag.works_on(start - TimeDelta::hours(1));
        clock.advance(Duration::from_secs(7));
        assert_eq!(age(&lag), 7);
        lag.hand_over(start + TimeDelta::seconds(5), Span::none());
        assert_eq!(age(&lag), 2);
        lag.is_written();
        assert_eq!(age(&lag), 0);
        let id = lag.id;
        drop(lag);
        assert!(!OLDEST.streams.lock().contains_key(&id));
    }
}
