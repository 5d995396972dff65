//! Signs of life of a stream that has nothing else to say, and the place that it has come to meanwhile.
//!
//! A stream of few events among many would else resume from its last one, however long ago that was: the more must be read
//! again, and the sooner what was in between is gone from the topic.

use std::{pin::pin, sync::LazyLock, time::Duration};

use tokio::time::{Instant, Interval, MissedTickBehavior};

/// Signs of life of many streams are given together: else thousands of quiet ones wake the processor for each.
const GRID: Duration = Duration::from_millis(100);
/// From which interval on nobody feels it.
const COARSE: Duration = Duration::from_secs(1);

/// The moment, or a little later, where others are due too.
pub(crate) fn together(moment: Instant, interval: Duration) -> Instant {
    static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    if interval < COARSE {
        return moment;
    }
    let past = moment.saturating_duration_since(*BEGIN).as_nanos() % GRID.as_nanos();
    let left = GRID.as_nanos() - past;
    moment + Duration::from_nanos(u64::try_from(left).unwrap_or_default())
}

/// When a sign of life is due, and who gives it.
pub(crate) struct Heartbeats<S> {
    ticks: Interval,
    /// The last other sign of life. It moves no timer, for there may be thousands at once.
    last: Instant,
    say: S,
}

impl<S: FnMut(Option<&str>)> Heartbeats<S> {
    /// One each interval; `say` gets the cursor where the stream has moved on.
    pub(crate) fn every(interval: Duration, say: S) -> Self {
        let last = Instant::now();
        let first = together(last + interval, interval);
        let mut ticks = tokio::time::interval_at(first, interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { ticks, last, say }
    }

    /// Something else was a sign of life.
    pub(crate) fn reset(&mut self) {
        self.last = Instant::now();
    }

    /// Waits until one is due.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(super) async fn due(&mut self) {
        loop {
            self.ticks.tick().await;
            let interval = self.ticks.period();
            let due = self.last + interval;
            if due <= Instant::now() {
                return;
            }
            self.ticks.reset_at(together(due, interval));
        }
    }

    /// Gives one.
    pub(super) fn say(&mut self, cursor: Option<&str>) {
        (self.say)(cursor);
    }

    /// Gives them while the work lasts.
    pub(super) async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        // Pinned outside of the loop: a heartbeat must not drop events that are being completed.
        let mut work = pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = self.due() => self.say(None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Meant against a sign of life that is given too soon behind another, and against one that is put off for ever.
    #[tokio::test(start_paused = true)]
    async fn one_is_due_an_interval_behind_the_last_sign() {
        let interval = Duration::from_secs(12);
        let mut heartbeats = Heartbeats::every(interval, |_| {});
        let due_behind = async |heartbeats: &mut Heartbeats<_>, last: Instant| {
            heartbeats.due().await;
            let waited = last.elapsed();
            assert!(
                interval <= waited && waited <= interval + GRID,
                "{waited:?}"
            );
        };
        due_behind(&mut heartbeats, Instant::now()).await;
        tokio::time::advance(Duration::from_secs(7)).await;
        heartbeats.reset();
        tokio::time::advance(Duration::from_secs(1)).await;
        heartbeats.reset();
        due_behind(&mut heartbeats, Instant::now()).await;
        due_behind(&mut heartbeats, Instant::now()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn those_of_many_streams_are_due_together() {
        let interval = Duration::from_secs(12);
        let now = Instant::now();
        let moments = (0..1_000_u64).map(|number| {
            let moment = now + Duration::from_millis(number);
            let due = together(moment, interval);
            assert!(moment < due && due <= moment + GRID);
            due
        });
        let together: std::collections::BTreeSet<_> = moments.collect();
        assert!(together.len() <= 11, "{}", together.len());
        let often = Duration::from_millis(50);
        assert_eq!(super::together(now, often), now);
    }
}
