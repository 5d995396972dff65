//! Whether the task that runs groups stands still, for readiness: it is the one task that no other can replace.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chassis::{health::Component, tasks::Tasks};
use tokio::time::Instant;

/// How often it is looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// Since when the task has worked on one group. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Pulse {
    start: Instant,
    /// Milliseconds after `start`, plus one; 0 while it waits for commands.
    since: Arc<AtomicU64>,
}

impl Pulse {
    /// It waits for commands.
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
            since: Arc::default(),
        }
    }

    /// Runs the work on one group.
    pub(super) async fn of<T>(&self, work: impl Future<Output = T>) -> T {
        let since = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.since.store(since.saturating_add(1), Ordering::Relaxed);
        let done = work.await;
        self.since.store(0, Ordering::Relaxed);
        done
    }

    /// For how long it has worked on the group that it has.
    fn age(&self) -> Duration {
        match self.since.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since => {
                let since = Duration::from_millis(since - 1);
                self.start.elapsed().saturating_sub(since)
            }
        }
    }

    /// Tells readiness when the work on one group takes longer than `limit`, until the tasks' token.
    pub(super) fn watch(&self, limit: Duration, component: Component, tasks: &Tasks) {
        let (pulse, token) = (self.clone(), tasks.token());
        tasks.spawn("order groups watch", async move {
            let mut ticks = tokio::time::interval(INTERVAL);
            while token.run_until_cancelled(ticks.tick()).await.is_some() {
                let age = pulse.age();
                if age > limit {
                    let seconds = age.as_secs();
                    component.down(format!(
                        "changes of orders have stood still for {seconds} s"
                    ));
                } else {
                    component.up();
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use chassis::health::Health;
    use tokio::sync::Notify;

    use super::*;

    /// Fails with an age that is always zero.
    #[tokio::test(start_paused = true)]
    async fn work_that_stands_still_is_not_ready_and_is_again_when_it_goes_on() {
        let (health, tasks, pulse) = (Health::new(), Tasks::new(), Pulse::new());
        let limit = Duration::from_secs(12);
        pulse.watch(limit, health.component("order-groups"), &tasks);
        tokio::time::sleep(INTERVAL).await;
        assert!(health.is_ready());
        let (go_on, working) = (Arc::new(Notify::new()), pulse.clone());
        let stuck = Arc::clone(&go_on);
        tasks.spawn("group", async move { working.of(stuck.notified()).await });
        tokio::time::sleep(limit).await;
        assert!(health.is_ready());
        tokio::time::sleep(2 * INTERVAL).await;
        assert!(!health.is_ready());
        go_on.notify_one();
        tokio::time::sleep(2 * INTERVAL).await;
        assert!(health.is_ready());
        tasks.token().cancel();
    }
}
