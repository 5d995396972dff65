//! Repeated warnings and errors: the first few of a kind are written, then one a second with the number left out.
//!
//! A fault under load repeats its line with every request, and the log would grow faster than anybody reads, at a cost
//! that the requests pay. Lines of other levels are never left out: they say what was done, not what keeps failing.
//!
//! Invariants: memory is bounded by [`MAX_KINDS`]; no line is left out without being counted, in the next line of its kind
//! and in `marketplace_log_lines_left_out_total`.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::LazyLock,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use prometheus::{IntCounterVec, register_int_counter_vec};
use serde_json::Value;
use tracing::{Level, Metadata};

/// Lines of a kind that are written one right after the other.
const BURST: u32 = 5;
/// After how long a kind may write one more line.
const INTERVAL: Duration = Duration::from_secs(1);
/// How many kinds are told apart; the lines of any more share one.
const MAX_KINDS: usize = 512;
/// The fields that tell kinds of one call site apart. Each has few values; none comes from a client.
const TELLING: [&str; 7] = [
    "code",
    "database",
    "process.name",
    "server",
    "setting",
    "subgraph",
    "task",
];

static LEFT_OUT: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "marketplace_log_lines_left_out_total",
        "Log lines that were counted and not written, because their kind had just been written.",
        &["level"]
    )
    .expect("the name is registered once")
});

/// The kinds that were seen, and what each may still write.
#[derive(Debug, Default)]
pub(super) struct Sampler(Mutex<HashMap<u64, Kind>>);

#[derive(Debug)]
struct Kind {
    /// Lines that may be written now.
    tokens: u32,
    /// When the last token was given.
    refilled_at: Instant,
    left_out: u64,
}

impl Kind {
    fn new(now: Instant) -> Self {
        Self {
            tokens: BURST,
            refilled_at: now,
            left_out: 0,
        }
    }

    fn refill(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.refilled_at).as_secs();
        if seconds > 0 {
            let given = u32::try_from(seconds).unwrap_or(BURST);
            self.tokens = self.tokens.saturating_add(given).min(BURST);
            self.refilled_at = now;
        }
    }

    /// Whether nothing would be lost by forgetting it.
    fn is_idle(&self, now: Instant) -> bool {
        self.left_out == 0 && now.saturating_duration_since(self.refilled_at) > INTERVAL * BURST
    }
}

impl Sampler {
    /// An empty sampler; announces its metric.
    pub(super) fn new() -> Self {
        for level in [Level::ERROR, Level::WARN] {
            LEFT_OUT.with_label_values(&[label(level)]);
        }
        Self::default()
    }

    /// Whether a line is written: `Some` with the lines of its kind left out before it.
    pub(super) fn admit(
        &self,
        metadata: &'static Metadata<'static>,
        fields: &[(&'static str, Value)],
        now: Instant,
    ) -> Option<u64> {
        if *metadata.level() > Level::WARN {
            return Some(0);
        }
        let mut kinds = self.0.lock();
        let mut key = kind(metadata, fields);
        if kinds.len() >= MAX_KINDS && !kinds.contains_key(&key) {
            kinds.retain(|_, kind| !kind.is_idle(now));
            if kinds.len() >= MAX_KINDS {
                key = 0;
            }
        }
        let kind = kinds.entry(key).or_insert_with(|| Kind::new(now));
        kind.refill(now);
        if let Some(tokens) = kind.tokens.checked_sub(1) {
            kind.tokens = tokens;
            return Some(std::mem::take(&mut kind.left_out));
        }
        kind.left_out += 1;
        LEFT_OUT
            .with_label_values(&[label(*metadata.level())])
            .inc();
        None
    }
}

fn label(level: Level) -> &'static str {
    if level == Level::ERROR {
        "error"
    } else {
        "warn"
    }
}

fn kind(metadata: &'static Metadata<'static>, fields: &[(&'static str, Value)]) -> u64 {
    let mut hasher = DefaultHasher::new();
    metadata.callsite().hash(&mut hasher);
    for (name, value) in fields {
        // Lines of the crate `log` share one call site, and bring where they come from as a field.
        if TELLING.contains(name) || *name == "log.target" {
            name.hash(&mut hasher);
            value.as_str().unwrap_or_default().hash(&mut hasher);
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use tracing::{Subscriber, subscriber::with_default};
    use tracing_subscriber::{
        Layer,
        layer::{Context, SubscriberExt as _},
        registry,
    };

    use super::*;

    struct Seen(std::sync::Arc<Mutex<Vec<&'static Metadata<'static>>>>);

    impl<S: Subscriber> Layer<S> for Seen {
        fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
            self.0.lock().push(event.metadata());
        }
    }

    fn metadata(log: impl FnOnce()) -> &'static Metadata<'static> {
        let seen = std::sync::Arc::default();
        let layer = Seen(std::sync::Arc::clone(&seen));
        with_default(registry().with(layer), log);
        let seen = seen.lock();
        seen[0]
    }

    #[test]
    fn the_next_line_of_a_kind_says_how_many_were_left_out() {
        let warning = metadata(|| tracing::warn!("it failed"));
        let sampler = Sampler::new();
        let start = Instant::now();
        let admit = |at| sampler.admit(warning, &[], start + at);
        for _ in 0..BURST {
            assert_eq!(admit(Duration::ZERO), Some(0));
        }
        for _ in 0..7 {
            assert_eq!(admit(Duration::from_millis(900)), None);
        }
        assert_eq!(admit(Duration::from_secs(1)), Some(7));
        assert_eq!(admit(Duration::from_secs(1)), None, "one a second");
    }

    #[test]
    fn kinds_without_end_take_bounded_memory() {
        let warning = metadata(|| tracing::warn!("it failed"));
        let sampler = Sampler::new();
        let now = Instant::now();
        for number in 0..10 * MAX_KINDS {
            let fields = [("code", Value::String(number.to_string()))];
            let _written = sampler.admit(warning, &fields, now);
        }
        assert!(sampler.0.lock().len() <= MAX_KINDS + 1);
    }
}
