//! Signs of life of a stream that has nothing else to say, and the place that it has come to meanwhile.
//!
//! A stream of few events among many would else resume from its last one, however long ago that was: the more must be read
//! again, and the sooner what was in between is gone from the topic.

use std::{pin::pin, time::Duration};

use tokio::time::{Instant, Interval, MissedTickBehavior};

/// When a sign of life is due, and who gives it.
pub(crate) struct Heartbeats<S> {
    ticks: Interval,
    say: S,
}

impl<S: FnMut(Option<&str>)> Heartbeats<S> {
    /// One each interval; `say` gets the cursor where the stream has moved on.
    pub(crate) fn every(interval: Duration, say: S) -> Self {
        let mut ticks = tokio::time::interval_at(Instant::now() + interval, interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { ticks, say }
    }

    /// Something else was a sign of life.
    pub(crate) fn reset(&mut self) {
        self.ticks.reset();
    }

    /// Waits until one is due.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(super) async fn due(&mut self) {
        self.ticks.tick().await;
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
