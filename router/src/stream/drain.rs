//! The end of all streams at shutdown.
//!
//! Order: readiness is withdrawn, streams end one by one over a third of the drain, listeners stop accepting connections, and
//! the drain waits for what is in flight. Invariant: no stream is cut in the middle of a frame.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use chassis::{health::Health, tasks::Tasks};
use tokio::time::{Instant, sleep_until};
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

use super::spread::Share;

/// Shared by everything that serves clients.
#[derive(Debug, Clone, Default)]
pub(crate) struct Drain {
    streams: CancellationToken,
    listeners: CancellationToken,
    open: TaskTracker,
    /// When the first stream ends, and over how long the others do.
    over: Arc<OnceLock<(Instant, Duration)>>,
}

/// One stream's or socket's turn in the drain.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    drain: Drain,
    share: Share,
}

impl Drain {
    /// Counts one stream or socket until the token is dropped.
    pub(crate) fn track(&self) -> TaskTrackerToken {
        self.open.token()
    }

    /// A turn of its own for a stream or a socket.
    pub(crate) fn turn(&self) -> Turn {
        Turn {
            drain: self.clone(),
            share: Share::take(),
        }
    }

    /// Whether streams must end.
    pub(crate) fn has_begun(&self) -> bool {
        self.streams.is_cancelled()
    }

    /// Resolves when listeners must stop taking connections.
    pub(crate) fn listeners(&self) -> CancellationToken {
        self.listeners.clone()
    }

    /// Waits for the shutdown and then leads it; streams and requests have `limit` to end.
    pub(crate) async fn lead(self, tasks: Tasks, health: Health, limit: Duration) {
        tasks.token().cancelled().await;
        health.drain();
        self.begin(limit / 3);
        self.listeners.cancel();
        self.open.close();
        if tokio::time::timeout(limit, self.open.wait()).await.is_err() {
            tracing::warn!(
                streams = self.open.len(),
                "streams were still open at the end of the drain"
            );
        }
    }

    fn begin(&self, span: Duration) {
        self.over.get_or_init(|| (Instant::now(), span));
        self.streams.cancel();
    }
}

impl Turn {
    /// Resolves when it has come: thousands of streams that ended in the same moment would come back in the same moment.
    pub(crate) async fn come(&self) {
        self.drain.streams.cancelled().await;
        if let Some((began_at, span)) = self.drain.over.get() {
            // In a box, for every stream waits here and none sleeps until the drain.
            Box::pin(sleep_until(*began_at + self.share.of(*span))).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt, stream::FuturesUnordered};

    use super::*;

    /// Meant against every turn at the drain's beginning.
    #[tokio::test(start_paused = true)]
    async fn streams_end_one_by_one_and_all_in_time() {
        let drain = Drain::default();
        let turns: Vec<Turn> = (0..100).map(|_| drain.turn()).collect();
        let began_at = Instant::now();
        drain.begin(Duration::from_secs(1));
        let mut ends: FuturesUnordered<_> = turns
            .iter()
            .map(async |turn| {
                turn.come().await;
                began_at.elapsed()
            })
            .collect();
        let mut ended = Vec::new();
        while let Some(after) = ends.next().await {
            ended.push(after);
        }
        assert!(ended.iter().all(|after| *after <= Duration::from_secs(1)));
        let early = ended.iter().filter(|after| after.as_millis() < 500).count();
        assert!(
            (40..=60).contains(&early),
            "{early} of 100 in the first half"
        );
    }
}
