//! The end of all streams at shutdown.
//!
//! Order: readiness is withdrawn, every stream ends and gives its client a cursor to resume from, listeners stop
//! accepting connections, and the drain waits for what is in flight. Invariant: no stream is cut without its cursor.

use std::time::Duration;

use chassis::{health::Health, tasks::Tasks};
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

/// Shared by everything that serves clients.
#[derive(Debug, Clone, Default)]
pub(crate) struct Drain {
    streams: CancellationToken,
    listeners: CancellationToken,
    open: TaskTracker,
}

impl Drain {
    /// Counts one stream or socket until the token is dropped.
    pub(crate) fn track(&self) -> TaskTrackerToken {
        self.open.token()
    }

    /// Resolves when streams must end.
    pub(crate) async fn begun(&self) {
        self.streams.cancelled().await;
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
        self.streams.cancel();
        self.listeners.cancel();
        self.open.close();
        if tokio::time::timeout(limit, self.open.wait()).await.is_err() {
            tracing::warn!(
                streams = self.open.len(),
                "streams were still open at the end of the drain"
            );
        }
    }
}
