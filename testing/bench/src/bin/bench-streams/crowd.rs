//! A crowd of subscribers: what it costs while nothing happens, when something does, and once it has left.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tokio::{task::JoinSet, time::sleep};

use crate::{
    frames::Frames,
    process::Process,
    shop::count_of,
    subscriber::{Wish, open_all},
};

/// Streams that come and go before, so that pools and caches are no crowd's.
const WARM: usize = 50;
/// After which a router has nothing more to do for those that came or left.
pub(crate) const SETTLED: Duration = Duration::from_secs(5);
/// How long one event may take to everybody.
const PATIENCE: Duration = Duration::from_secs(60);

/// A crowd that reads.
#[derive(Debug)]
pub(crate) struct Crowd {
    pub(crate) size: usize,
    pub(crate) frames: Arc<Frames>,
    reading: JoinSet<anyhow::Error>,
}

/// What some events cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// Milliseconds from the event to a frame.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Microseconds of processor time.
    pub(crate) a_frame: f64,
}

impl Crowd {
    /// Opens `size` streams, whose wishes take turns, and reads them.
    ///
    /// # Errors
    /// When one of them is refused.
    pub(crate) async fn gather(wishes: &[Wish], size: usize) -> anyhow::Result<Self> {
        let mut crowd = Self {
            size,
            frames: Arc::default(),
            reading: JoinSet::new(),
        };
        for mut subscriber in open_all(wishes, size).await? {
            let frames = Arc::clone(&crowd.frames);
            let reading = async move { subscriber.read(&frames).await };
            crowd.reading.spawn(reading);
        }
        Ok(crowd)
    }

    /// Lets a few come and go.
    ///
    /// # Errors
    /// As [`Crowd::gather`].
    pub(crate) async fn warm(wishes: &[Wish]) -> anyhow::Result<()> {
        Self::gather(wishes, WARM).await?.leave().await;
        Ok(())
    }

    /// What of a processor `process` needs while nothing happens, in percent.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) async fn idle(process: Process, time: Duration) -> anyhow::Result<f64> {
        let (before, since) = (process.worked()?, Instant::now());
        sleep(time).await;
        let worked = process.worked()? - before;
        Ok(100.0 * worked.as_secs_f64() / since.elapsed().as_secs_f64())
    }

    /// Has every subscriber get an event `count` times, by `happen`, and says what that cost `process`.
    ///
    /// # Errors
    /// When a frame is missing.
    pub(crate) async fn broadcast(
        &self,
        process: Process,
        count: usize,
        mut happen: impl AsyncFnMut(usize) -> anyhow::Result<()>,
    ) -> anyhow::Result<Cost> {
        // The first finds what no event had needed before.
        happen(0).await?;
        self.frames.reach(self.size, PATIENCE).await?;
        self.frames.forget();
        let mut worked = Duration::ZERO;
        for number in 1..=count {
            let before = process.worked()?;
            happen(number).await?;
            let wanted = self.size * number;
            self.frames.reach(wanted, PATIENCE).await?;
            worked += process.worked()? - before;
            sleep(Duration::from_millis(200)).await;
        }
        Ok(Cost {
            p50: self.frames.lag(0.5),
            p99: self.frames.lag(0.99),
            a_frame: worked.as_secs_f64() * 1e6 / count_of(self.size * count),
        })
    }

    /// Whether all of it still reads.
    ///
    /// # Errors
    /// Why somebody does not.
    pub(crate) fn is_whole(&mut self) -> anyhow::Result<()> {
        match self.reading.try_join_next() {
            None => Ok(()),
            Some(ended) => Err(ended?).context("a stream ended"),
        }
    }

    /// Everybody leaves.
    pub(crate) async fn leave(mut self) {
        self.reading.shutdown().await;
    }
}
