//! What subscribers saw of the events: how late, and how much.

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use anyhow::ensure;
use chassis::clock::Clock;
use chrono::DateTime;
use hdrhistogram::Histogram;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

/// An event's moment in a frame, and that of an order that could not be read.
const MOMENT: &[u8] = br#""at":""#;
const WITHOUT_ORDER: &[u8] = br#""order":null"#;

/// The frames of all subscribers of one measurement.
#[derive(Debug)]
pub(crate) struct Frames {
    clock: Clock,
    micros: Mutex<Histogram<u64>>,
    count: AtomicUsize,
    without_order: AtomicUsize,
}

impl Default for Frames {
    fn default() -> Self {
        let micros = Histogram::new_with_bounds(1, 600_000_000, 3);
        Self {
            clock: Clock::system(),
            micros: Mutex::new(micros.expect("the bounds are in order")),
            count: AtomicUsize::new(0),
            without_order: AtomicUsize::new(0),
        }
    }
}

impl Frames {
    /// Takes one frame in; what shows no event counts for nothing.
    pub(crate) fn take(&self, frame: &[u8]) {
        let Some(at) = after(frame, MOMENT) else {
            return;
        };
        let end = at.iter().position(|byte| *byte == b'"').unwrap_or_default();
        let text = std::str::from_utf8(&at[..end]).unwrap_or_default();
        let Ok(moment) = DateTime::parse_from_rfc3339(text) else {
            return;
        };
        let lag = self.clock.now().signed_duration_since(moment);
        let lag = lag.num_microseconds();
        let lag = lag.and_then(|it| u64::try_from(it).ok());
        self.micros.lock().saturating_record(lag.unwrap_or(1));
        if after(frame, WITHOUT_ORDER).is_some() {
            self.without_order.fetch_add(1, Relaxed);
        }
        self.count.fetch_add(1, Relaxed);
    }

    /// Begins anew.
    pub(crate) fn forget(&self) {
        self.micros.lock().reset();
        self.count.store(0, Relaxed);
        self.without_order.store(0, Relaxed);
    }

    /// How many there were.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Relaxed)
    }

    /// Of those, how many lacked what they were to show.
    pub(crate) fn without_order(&self) -> usize {
        self.without_order.load(Relaxed)
    }

    /// Milliseconds from the event to the frame.
    pub(crate) fn lag(&self, quantile: f64) -> f64 {
        let micros = self.micros.lock().value_at_quantile(quantile);
        f64::from(u32::try_from(micros).unwrap_or(u32::MAX)) / 1e3
    }

    /// Waits until there are `wanted`.
    ///
    /// # Errors
    /// When they do not come within `patience`.
    pub(crate) async fn reach(&self, wanted: usize, patience: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + patience;
        while self.count() < wanted {
            ensure!(
                Instant::now() < end,
                "{} of {wanted} frames came within {patience:?}",
                self.count()
            );
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}

/// What comes behind the first `mark`.
pub(crate) fn after<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    let at = bytes.windows(mark.len()).position(|it| it == mark)?;
    bytes.get(at + mark.len()..)
}
