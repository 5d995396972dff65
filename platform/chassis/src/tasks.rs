//! Background tasks that shutdown knows: every task has a name, hears the signal and is waited for.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use prometheus::{IntGauge, register_int_gauge};
use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A group of tasks with one shutdown signal. Clones share the group.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    token: CancellationToken,
    running: Arc<Mutex<BTreeMap<&'static str, usize>>>,
}

impl Tasks {
    /// An empty group.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a task. It should end soon after [`Tasks::token`] is cancelled. It runs to its end also when its handle is
    /// dropped.
    pub fn spawn<F>(&self, name: &'static str, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let running = Running::enter(name, self.running.clone());
        // A future that awaits another which it was given has room for it twice.
        let task = Box::pin(task);
        self.tracker.spawn(async move {
            let output = task.await;
            drop(running);
            output
        })
    }

    /// Cancelled when the process shuts down.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// A group that hears this group's signal and is waited for with it, and that can be cancelled on its own.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            tracker: self.tracker.clone(),
            token: self.token.child_token(),
            running: self.running.clone(),
        }
    }

    /// Signals every task and waits for them, at most `limit`. Gives the names of those that did not end.
    pub async fn shutdown(&self, limit: Duration) -> Vec<&'static str> {
        self.token.cancel();
        self.tracker.close();
        match tokio::time::timeout(limit, self.tracker.wait()).await {
            Ok(()) => Vec::new(),
            Err(_) => self.names(),
        }
    }

    /// Names of the tasks that run now.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .keys()
            .copied()
            .collect()
    }
}

/// Counts one running task; leaving it, by return or by panic, takes it out again.
struct Running {
    name: &'static str,
    all: Arc<Mutex<BTreeMap<&'static str, usize>>>,
}

static RUNNING: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!(
        "marketplace_tasks_running",
        "Background tasks that shutdown would wait for"
    )
    .expect("the name is registered once")
});

impl Running {
    fn enter(name: &'static str, all: Arc<Mutex<BTreeMap<&'static str, usize>>>) -> Self {
        RUNNING.inc();
        *all.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(name)
            .or_default() += 1;
        Self { name, all }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.dec();
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(self.name) {
            *count -= 1;
            if *count == 0 {
                all.remove(self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn shutdown_names_the_task_that_does_not_end() {
        let tasks = Tasks::new();
        let token = tasks.token();
        tasks.spawn("polite", async move { token.cancelled().await });
        tasks.spawn("stubborn", std::future::pending::<()>());
        assert_eq!(
            tasks.shutdown(Duration::from_millis(50)).await,
            ["stubborn"]
        );
    }
}
