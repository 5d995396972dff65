//! What came of a run: as data for other programs, and as a table for people, at most 80 columns wide.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::time::Duration;

use serde::Serialize;

use crate::plan::{Kind, Plan};
use crate::stats::{Counts, Latencies, Tally};

/// What came of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The seed that repeats the arrivals.
    pub seed: u64,
    /// Operations a second that the plan asked for.
    pub planned_rate: f64,
    /// Operations a second that ended.
    pub rate: f64,
    /// How long operations became due.
    pub duration_seconds: f64,
    /// A row for each kind that occurred, then their sum.
    pub operations: Vec<Operation>,
    /// Arrivals that were dropped because too many operations were in flight.
    pub overloaded: u64,
    /// How late the generator itself was, 99 of 100 times, in milliseconds: its own share of the latencies.
    pub lateness_p99_ms: f64,
    /// How often an operator restocked a product.
    pub restocks: u64,
    /// The subscriptions, where there were any.
    pub streams: Option<Streams>,
    /// The server's memory, if it reports it.
    pub memory: Option<Memory>,
    /// The trace of the slowest checkout, or of the slowest operation in a run without checkouts.
    pub trace_id: Option<String>,
    /// What was broken; empty after a good run.
    pub violations: Vec<String>,
}

/// One kind of operation.
#[derive(Debug, Clone, Serialize)]
pub struct Operation {
    /// Its name; `all` for the sum.
    pub name: &'static str,
    /// How many ended.
    pub count: u64,
    /// How many were done.
    pub done: u64,
    /// Refusals that may happen, by code.
    pub refused: BTreeMap<String, u64>,
    /// Errors, by code.
    pub errors: BTreeMap<String, u64>,
    /// Answers after which an operation was tried again, by code.
    pub retried: BTreeMap<String, u64>,
    /// Half of all took less, in milliseconds from the moment at which the operation was due.
    pub p50_ms: f64,
    /// Nine of ten took less.
    pub p90_ms: f64,
    /// 99 of 100 took less.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

/// What the subscribers saw together.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Streams {
    /// Subscriptions.
    pub subscribers: usize,
    /// Frames.
    pub frames: u64,
    /// Frames that had come before.
    pub repeated: u64,
    /// Versions that never came.
    pub missed: u64,
    /// Frames of kind `GAP`.
    pub gaps: u64,
    /// Frames whose order could not be read in time; the change itself is in them.
    pub incomplete: u64,
    /// Times that a stream was resumed.
    pub reconnects: u64,
    /// Errors in frames, by code.
    pub errors: BTreeMap<String, u64>,
    /// From the change to its frame, half of all, in milliseconds.
    pub event_to_frame_p50_ms: f64,
    /// 99 of 100.
    pub event_to_frame_p99_ms: f64,
    /// The slowest.
    pub event_to_frame_max_ms: f64,
}

/// The resident memory of the server's process, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Before the run.
    pub before: u64,
    /// The most that was seen.
    pub peak: u64,
    /// After the run.
    pub after: u64,
}

impl Report {
    pub(crate) fn new(plan: &Plan, counts: Counts, took: Duration) -> Self {
        let mut operations: Vec<Operation> = Vec::new();
        let mut all = Tally::default();
        for (kind, tally) in &counts.kinds {
            add(&mut all, tally);
            operations.push(operation(kind.name(), tally));
        }
        operations.push(operation("all", &all));
        let slowest = counts.kinds.get(&Kind::Checkout).or_else(|| {
            let slowest = |tally: &&Tally| tally.slowest.map(|(latency, _)| latency);
            counts.kinds.values().max_by_key(slowest)
        });
        let seconds = took.as_secs_f64();
        let violations = counts.kinds.iter().flat_map(|(kind, tally)| {
            let failed = tally.failed.iter();
            failed.map(|(code, count)| format!("{} failed {count} times: {code}", kind.name()))
        });
        Self {
            seed: plan.seed,
            planned_rate: plan.rate,
            rate: float(all.latencies.len()) / seconds.max(f64::EPSILON),
            duration_seconds: seconds,
            violations: violations.collect(),
            operations,
            overloaded: counts.overloaded,
            lateness_p99_ms: counts.lateness.quantile(0.99),
            restocks: 0,
            streams: None,
            memory: None,
            trace_id: slowest
                .and_then(|tally| tally.slowest)
                .map(|(_, trace)| trace.simple().to_string()),
        }
    }

    /// Adds what the subscribers saw, and what is wrong with it.
    pub(crate) fn with_streams(mut self, streams: Streams) -> Self {
        let wrong = [
            ("versions never came to a subscriber", streams.missed),
            ("frames came twice", streams.repeated),
            ("frames said GAP", streams.gaps),
            ("frames were errors", streams.errors.values().sum()),
        ];
        let wrong = wrong.into_iter().filter(|(_, count)| *count > 0);
        self.violations
            .extend(wrong.map(|(what, count)| format!("{count} {what}")));
        self.streams = Some(streams);
        self
    }

    /// Whether every invariant held.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }
}

fn operation(name: &'static str, tally: &Tally) -> Operation {
    Operation {
        name,
        count: tally.latencies.len(),
        done: tally.done,
        refused: tally.refused.clone(),
        errors: tally.failed.clone(),
        retried: tally.retried.clone(),
        p50_ms: tally.latencies.quantile(0.5),
        p90_ms: tally.latencies.quantile(0.9),
        p99_ms: tally.latencies.quantile(0.99),
        max_ms: tally.latencies.max(),
    }
}

fn add(all: &mut Tally, tally: &Tally) {
    all.done += tally.done;
    all.latencies.add(&tally.latencies);
    for (sum, part) in [
        (&mut all.refused, &tally.refused),
        (&mut all.failed, &tally.failed),
        (&mut all.retried, &tally.retried),
    ] {
        for (code, count) in part {
            *sum.entry(code.clone()).or_default() += count;
        }
    }
}

impl Streams {
    pub(crate) fn set_latencies(&mut self, latencies: &Latencies) {
        self.event_to_frame_p50_ms = latencies.quantile(0.5);
        self.event_to_frame_p99_ms = latencies.quantile(0.99);
        self.event_to_frame_max_ms = latencies.max();
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table(f)?;
        let all = self.operations.last();
        let line = |f: &mut fmt::Formatter<'_>, title: &str, codes: &BTreeMap<String, u64>| {
            if codes.is_empty() {
                return Ok(());
            }
            let codes: Vec<_> = codes
                .iter()
                .map(|(code, count)| format!("{code} {count}"))
                .collect();
            writeln!(f, "{title:<16}{}", codes.join(", "))
        };
        writeln!(
            f,
            "\n{:<16}{:.1} of {:.1} planned operations/s over {:.1} s, seed {}",
            "throughput", self.rate, self.planned_rate, self.duration_seconds, self.seed
        )?;
        if let Some(all) = all {
            line(f, "refused", &all.refused)?;
            line(f, "errors", &all.errors)?;
            line(f, "retried", &all.retried)?;
        }
        writeln!(
            f,
            "{:<16}{} arrivals dropped; the generator was {:.1} ms late at p99",
            "overload", self.overloaded, self.lateness_p99_ms
        )?;
        writeln!(
            f,
            "{:<16}{} times by an operator",
            "restocked", self.restocks
        )?;
        self.write_streams(f)?;
        if let Some(memory) = self.memory {
            let mib = |bytes: u64| bytes / (1024 * 1024);
            writeln!(
                f,
                "{:<16}{} MiB before, {} MiB at most, {} MiB after (the process at --admin-url)",
                "server memory",
                mib(memory.before),
                mib(memory.peak),
                mib(memory.after)
            )?;
        }
        if let Some(trace) = &self.trace_id {
            writeln!(
                f,
                "{:<16}{trace}, of the slowest checkout or operation",
                "trace"
            )?;
        }
        if self.is_clean() {
            return writeln!(
                f,
                "{:<16}held: no unexpected error, no frame lost or repeated",
                "invariants"
            );
        }
        self.violations
            .iter()
            .try_for_each(|violation| writeln!(f, "{:<16}{violation}", "BROKEN"))
    }
}

impl Report {
    fn table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<10}{:>8}{:>8}{:>8}{:>7}{:>8}{:>8}{:>8}{:>8}  ms",
            "operation", "count", "done", "refused", "errors", "p50", "p90", "p99", "max"
        )?;
        for row in &self.operations {
            let (refused, errors): (u64, u64) =
                (row.refused.values().sum(), row.errors.values().sum());
            let mut line = format!(
                "{:<10}{:>8}{:>8}{refused:>8}{errors:>7}",
                row.name, row.count, row.done
            );
            for value in [row.p50_ms, row.p90_ms, row.p99_ms, row.max_ms] {
                write!(line, "{value:>8.1}")?;
            }
            writeln!(f, "{line}")?;
        }
        Ok(())
    }

    fn write_streams(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(streams) = &self.streams else {
            return Ok(());
        };
        writeln!(
            f,
            "{:<16}{} subscribers, {} frames: {} missed, {} repeated, {} incomplete;\n{:<16}{} resumed",
            "streams",
            streams.subscribers,
            streams.frames,
            streams.missed,
            streams.repeated,
            streams.incomplete,
            "",
            streams.reconnects
        )?;
        writeln!(
            f,
            "{:<16}p50 {:.1}, p99 {:.1}, max {:.1} ms",
            "event to frame",
            streams.event_to_frame_p50_ms,
            streams.event_to_frame_p99_ms,
            streams.event_to_frame_max_ms
        )
    }
}

fn float(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
