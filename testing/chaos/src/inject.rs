//! Injects the faults of a schedule, one after the other.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::time::sleep;

use crate::environment::Environment;
use crate::schedule::{Counts, Fault, Schedule, Target, is_held};

/// How long a process may take to reach an armed point. While the broker is down, the relay reaches none.
const REACH_LIMIT: Duration = Duration::from_secs(15);
/// The same for the second attempt: a consumer group that loses a member during a rebalance waits 15 s and starts over.
const SECOND_REACH_LIMIT: Duration = Duration::from_secs(45);
/// How long a killed process may take to run again before it is killed once more.
const RESTART_LIMIT: Duration = Duration::from_secs(10);

/// The faults that were injected.
#[derive(Debug, Default)]
pub(crate) struct Injected {
    /// Kills by process.
    pub(crate) kills: Counts,
    /// Hits by crash point.
    pub(crate) points: Counts,
}

impl Injected {
    /// The kills of all processes together.
    pub(crate) fn total(&self) -> u64 {
        self.kills.values().sum()
    }

    fn count(&mut self, target: Target) {
        *self.kills.entry(target.name().to_owned()).or_default() += 1;
    }
}

/// Injects the faults of `schedule` and reports the number of kills to `progress` after each. A point that no process
/// reached is tried once more in the end.
///
/// # Errors
/// When the environment's folder cannot be written.
pub(crate) async fn run(
    environment: &Environment,
    schedule: Schedule,
    seed: u64,
    mut progress: impl FnMut(u64),
) -> anyhow::Result<Injected> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut injected = Injected::default();
    let mut again = Vec::new();
    for (pause, fault) in schedule.0 {
        sleep(pause).await;
        if !inject(environment, fault, REACH_LIMIT, &mut injected).await? {
            again.push(fault);
        }
        progress(injected.total());
    }
    for fault in again {
        sleep(Duration::from_millis(random.random_range(500..1_500))).await;
        inject(environment, fault, SECOND_REACH_LIMIT, &mut injected).await?;
        progress(injected.total());
    }
    Ok(injected)
}

/// Injects one fault. Returns whether it happened.
async fn inject(
    environment: &Environment,
    fault: Fault,
    reach_limit: Duration,
    injected: &mut Injected,
) -> anyhow::Result<bool> {
    let point = match fault {
        Fault::Random(target) => {
            let killed = environment.kill(target, RESTART_LIMIT).await;
            if killed {
                injected.count(target);
            }
            return Ok(killed);
        }
        Fault::Point(point) => point,
    };
    if !environment.arm(point, reach_limit).await? {
        return Ok(false);
    }
    let target = Target::of(point);
    let happened = !is_held(point) || environment.kill(target, RESTART_LIMIT).await;
    environment.release(point);
    if happened {
        injected.count(target);
        *injected.points.entry(point.name().to_owned()).or_default() += 1;
    }
    Ok(happened)
}
