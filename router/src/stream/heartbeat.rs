//! Signs of life of a stream that has nothing else to say, and the place that it has come to meanwhile.
//!
//! A stream of few events among many would else resume from its last one, however long ago that was: the more must be read
//! again, and the sooner what was in between is gone from the topic.

use std::{pin::pin, time::Duration};

use tokio::time::{Instant, Interval, MissedTickBehavior};

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
        let mut ticks = tokio::time::interval_at(last + interval, interval);
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
            let left = self.ticks.period().checked_sub(self.last.elapsed());
            match left {
                Some(left) if !left.is_zero() => self.ticks.reset_after(left),
                _ => return,
            }
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
        let begin = Instant::now();
        let mut heartbeats = Heartbeats::every(interval, |_| {});
        heartbeats.due().await;
        assert_eq!(begin.elapsed(), interval);
        tokio::time::advance(Duration::from_secs(7)).await;
        heartbeats.reset();
        tokio::time::advance(Duration::from_secs(1)).await;
        heartbeats.reset();
        heartbeats.due().await;
        assert_eq!(begin.elapsed(), Duration::from_secs(20) + interval);
        heartbeats.due().await;
        assert_eq!(begin.elapsed(), Duration::from_secs(20) + interval * 2);
    }
}
