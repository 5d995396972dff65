//! Works off a schedule of kills.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::arena::Arena;
use crate::schedule::{Counts, Schedule, Strike, Target, is_held};

/// How long a process may take to come to an armed point. With the broker down the relay comes to none for a while.
const COME_BY: Duration = Duration::from_secs(15);
/// The same in the second try: a consumer group that lost a member while it was divided waits 15 s and then begins anew.
const COME_BY_AT_LAST: Duration = Duration::from_secs(45);
/// How long a process may take to run again, so that it can be killed.
const RUNS_AGAIN: Duration = Duration::from_secs(10);

/// What was struck.
#[derive(Debug, Default)]
pub(crate) struct Struck {
    /// Kills by process.
    pub(crate) kills: Counts,
    /// Hits by crash point.
    pub(crate) points: Counts,
    /// What was asked and did not happen.
    pub(crate) missed: Vec<String>,
}

impl Struck {
    /// All kills.
    pub(crate) fn total(&self) -> u64 {
        self.kills.values().sum()
    }

    fn count(&mut self, target: Target) {
        *self.kills.entry(target.name().to_owned()).or_default() += 1;
    }
}

/// Strikes as the schedule says; `tell` hears of each kill. A point to which nobody came is tried once more in the end.
///
/// # Errors
/// When the arena's folder cannot be written.
pub(crate) async fn run(
    arena: &Arena,
    schedule: Schedule,
    seed: u64,
    stop: &CancellationToken,
    mut tell: impl FnMut(u64),
) -> anyhow::Result<Struck> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut struck = Struck::default();
    let mut again = Vec::new();
    for (pause, strike) in schedule.0 {
        tokio::select! {
            () = sleep(pause) => {}
            () = stop.cancelled() => return Ok(struck),
        }
        if !one(arena, strike, COME_BY, &mut struck).await? {
            again.push(strike);
        }
        tell(struck.total());
    }
    for strike in again {
        sleep(Duration::from_millis(random.random_range(500..1_500))).await;
        if !one(arena, strike, COME_BY_AT_LAST, &mut struck).await? {
            struck.missed.push(format!("{strike:?}"));
        }
        tell(struck.total());
    }
    Ok(struck)
}

/// One kill; whether it happened.
async fn one(
    arena: &Arena,
    strike: Strike,
    come_by: Duration,
    struck: &mut Struck,
) -> anyhow::Result<bool> {
    let target = match strike {
        Strike::Random(target) => {
            let killed = arena.kill(target, RUNS_AGAIN).await;
            if killed {
                struck.count(target);
            }
            return Ok(killed);
        }
        Strike::Point(point) => point,
    };
    let point = target;
    let target = Target::of(point);
    if !arena.arm(point, come_by).await? {
        return Ok(false);
    }
    if is_held(point) && !arena.kill(target, RUNS_AGAIN).await {
        arena.release(point);
        return Ok(false);
    }
    arena.release(point);
    struck.count(target);
    *struck.points.entry(point.name().to_owned()).or_default() += 1;
    Ok(true)
}
