//! Counts and latencies of a run in progress.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use hdrhistogram::Histogram;
use uuid::Uuid;

use crate::ledger::lock;
use crate::plan::Kind;

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Done.
    Done,
    /// Refused with a code that the plan provokes or a busy shop gives.
    Refused(String),
    /// What must not happen.
    Failed(String),
}

/// One operation that ended.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) ending: Ending,
    pub(crate) retried: Vec<String>,
    pub(crate) trace: Uuid,
}

/// Durations in microseconds, to three digits, up to ten minutes.
#[derive(Debug, Clone)]
pub(crate) struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, 600_000_000, 3);
        Self(histogram.expect("the bounds are constants that fit"))
    }
}

impl Latencies {
    pub(crate) fn record(&mut self, latency: Duration) {
        self.0
            .saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("both have the same bounds");
    }

    pub(crate) fn len(&self) -> u64 {
        self.0.len()
    }

    /// Milliseconds below which this share (0 to 1) of the latencies lies; 0 without any.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        milliseconds(self.0.value_at_quantile(share))
    }

    pub(crate) fn max(&self) -> f64 {
        milliseconds(self.0.max())
    }
}

fn milliseconds(microseconds: u64) -> f64 {
    Duration::from_micros(microseconds).as_secs_f64() * 1e3
}

/// What is known of one kind of operation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub(crate) done: u64,
    pub(crate) refused: BTreeMap<String, u64>,
    pub(crate) failed: BTreeMap<String, u64>,
    pub(crate) retried: BTreeMap<String, u64>,
    pub(crate) latencies: Latencies,
    /// The slowest one, with its trace.
    pub(crate) slowest: Option<(Duration, Uuid)>,
}

/// Everything that is counted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    pub(crate) kinds: BTreeMap<Kind, Tally>,
    /// Arrivals that found no room.
    pub(crate) overloaded: u64,
    /// How late the generator itself was.
    pub(crate) lateness: Latencies,
}

/// [`Counts`] that many tasks write.
#[derive(Debug, Default)]
pub(crate) struct Stats(Mutex<Counts>);

impl Stats {
    pub(crate) fn ended(&self, kind: Kind, latency: Duration, outcome: Outcome) {
        let mut counts = lock(&self.0);
        let tally = counts.kinds.entry(kind).or_default();
        match outcome.ending {
            Ending::Done => tally.done += 1,
            Ending::Refused(code) => *tally.refused.entry(code).or_default() += 1,
            Ending::Failed(code) => *tally.failed.entry(code).or_default() += 1,
        }
        for code in outcome.retried {
            *tally.retried.entry(code).or_default() += 1;
        }
        tally.latencies.record(latency);
        if tally.slowest.is_none_or(|(slowest, _)| latency > slowest) {
            tally.slowest = Some((latency, outcome.trace));
        }
    }

    pub(crate) fn overloaded(&self) {
        lock(&self.0).overloaded += 1;
    }

    pub(crate) fn late(&self, by: Duration) {
        lock(&self.0).lateness.record(by);
    }

    pub(crate) fn counts(&self) -> Counts {
        lock(&self.0).clone()
    }

    /// Ended operations, those that failed among them, and arrivals without room.
    pub(crate) fn totals(&self) -> (u64, u64, u64) {
        let counts = lock(&self.0);
        let ended = counts
            .kinds
            .values()
            .map(|tally| tally.latencies.len())
            .sum();
        let failed = counts
            .kinds
            .values()
            .flat_map(|tally| tally.failed.values());
        (ended, failed.sum(), counts.overloaded)
    }
}
