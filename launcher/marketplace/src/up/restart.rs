//! Brings a private store back when it dies: after kill -9 of any process the marketplace recovers by itself.

use std::process::ExitStatus;
use std::time::Duration;

use dev_services::Error;
use dev_services::kafka::Kafka;
use dev_services::postgres::Cluster;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// A process that can be started again on its own data.
pub(crate) trait Restart: Send + 'static {
    /// Its name in logs.
    const NAME: &'static str;
    /// Waits for its end. Cancel safe.
    fn wait(&mut self) -> impl Future<Output = ExitStatus> + Send;
    /// Starts it again and waits until it is ready.
    fn restart(&mut self) -> impl Future<Output = Result<(), Error>> + Send;
    /// Stops it within `limit`.
    fn stop(self, limit: Duration) -> impl Future<Output = ()> + Send;
}

impl Restart for Cluster {
    const NAME: &'static str = "postgres";

    async fn wait(&mut self) -> ExitStatus {
        Self::wait(self).await
    }

    async fn restart(&mut self) -> Result<(), Error> {
        Self::restart(self).await
    }

    async fn stop(self, limit: Duration) {
        Self::stop(self, limit).await;
    }
}

impl Restart for Kafka {
    const NAME: &'static str = "kafka";

    async fn wait(&mut self) -> ExitStatus {
        Self::wait(self).await
    }

    async fn restart(&mut self) -> Result<(), Error> {
        Self::restart(self).await
    }

    async fn stop(self, limit: Duration) {
        Self::stop(self, limit).await;
    }
}

/// Restarts `store` whenever it ends, until `stopping`; then stops it.
pub(crate) async fn keep_running<S: Restart>(
    mut store: S,
    stopping: CancellationToken,
    limit: Duration,
    backoff: Backoff,
) {
    stopping
        .run_until_cancelled(watch(&mut store, backoff))
        .await;
    store.stop(limit).await;
}

async fn watch<S: Restart>(store: &mut S, mut backoff: Backoff) {
    loop {
        let status = store.wait().await;
        tracing::error!(store = S::NAME, %status, "ended by itself, starting it again");
        sleep(backoff.next(Instant::now())).await;
        let restarted = store.restart().await;
        log(S::NAME, &restarted);
    }
}

fn log(store: &str, restarted: &Result<(), Error>) {
    match restarted {
        Ok(()) => tracing::info!(store, "is back"),
        Err(error) => tracing::error!(store, %error, "did not come back"),
    }
}

/// The pause before a restart: doubles from 100 ms to the longest, and starts over after 20 quiet seconds.
#[derive(Debug)]
pub(crate) struct Backoff {
    longest: Duration,
    failures: u32,
    last: Option<Instant>,
}

impl Backoff {
    /// No pause yet.
    pub(crate) const fn up_to(longest: Duration) -> Self {
        Self {
            longest,
            failures: 0,
            last: None,
        }
    }

    /// The next pause, for an end at `now`.
    pub(crate) fn next(&mut self, now: Instant) -> Duration {
        if self
            .last
            .is_some_and(|last| now.duration_since(last) > Duration::from_secs(20))
        {
            self.failures = 0;
        }
        self.last = Some(now);
        let pause = Duration::from_millis(100) * 2_u32.pow(self.failures.min(6));
        self.failures = self.failures.saturating_add(1);
        pause.min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_grows_to_its_longest_and_starts_over_after_a_quiet_time() {
        let mut backoff = Backoff::up_to(Duration::from_secs(5));
        let now = Instant::now();
        let pauses: Vec<_> = (0..8).map(|_| backoff.next(now).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        let later = now + Duration::from_secs(21);
        assert_eq!(backoff.next(later).as_millis(), 100);
    }
}
