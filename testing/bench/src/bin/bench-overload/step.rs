//! One step: arrivals at one rate for a while, and what became of them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use parking_lot::Mutex;
use rand::Rng as _;
use serde::Serialize;
use tokio::{
    task::JoinSet,
    time::{sleep_until, timeout},
};

use crate::mix::{End, Kind, Shoppers};

/// How long a shopper waits.
const PATIENCE: Duration = Duration::from_secs(1);

/// What became of the operations of one kind.
#[derive(Debug, Default, Clone, Copy, Serialize)]
pub(crate) struct Counts {
    pub(crate) offered: u32,
    pub(crate) answered: u32,
    pub(crate) refused: u32,
    /// Their shopper left after a second.
    pub(crate) late: u32,
    pub(crate) failed: u32,
}

/// What became of a step.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Step {
    pub(crate) name: String,
    /// Operations offered a second.
    pub(crate) rate: f64,
    pub(crate) seconds: f64,
    pub(crate) kinds: Vec<(Kind, Counts)>,
    /// Of what was answered, in milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// The memory of the largest process at its end, in MiB.
    pub(crate) memory: u64,
}

impl Step {
    /// The sum over all kinds.
    pub(crate) fn total(&self) -> Counts {
        let mut total = Counts::default();
        for (_, counts) in &self.kinds {
            total.offered += counts.offered;
            total.answered += counts.answered;
            total.refused += counts.refused;
            total.late += counts.late;
            total.failed += counts.failed;
        }
        total
    }

    /// Operations answered in time, a second.
    pub(crate) fn goodput(&self) -> f64 {
        f64::from(self.total().answered) / self.seconds
    }

    /// How many of some kinds were answered in time, in parts of how many of them there are at the peak.
    pub(crate) fn of_peak(&self, peak: f64, is_one: impl Fn(Kind) -> bool) -> f64 {
        let of = self.kinds.iter().filter(|(kind, _)| is_one(*kind));
        let (answered, weight) = of.fold((0, 0), |(answered, weight), (kind, it)| {
            (answered + it.answered, weight + kind.weight())
        });
        f64::from(answered) / self.seconds / (peak * f64::from(weight) / 100.0)
    }
}

struct Seen {
    kinds: Vec<(Kind, Counts)>,
    millis: Histogram<u64>,
}

/// Offers `rate` operations a second for `time`, and waits for those under way.
pub(crate) async fn run(shoppers: &Arc<Shoppers>, rate: f64, time: Duration) -> Step {
    let seen = Arc::new(Mutex::new(Seen {
        kinds: Kind::ALL.map(|kind| (kind, Counts::default())).into(),
        millis: Histogram::new_with_bounds(1, 60_000, 2).expect("the bounds are in order"),
    }));
    let mut under_way = JoinSet::new();
    let start = Instant::now();
    let mut at = start;
    while at < start + time {
        // The gaps of a Poisson process.
        let uniform: f64 = rand::rng().random_range(f64::EPSILON..1.0);
        at += Duration::from_secs_f64(-uniform.ln() / rate);
        sleep_until(at.into()).await;
        let (shoppers, seen) = (Arc::clone(shoppers), Arc::clone(&seen));
        under_way.spawn(async move { one(&shoppers, &seen, Kind::draw()).await });
        while under_way.try_join_next().is_some() {}
    }
    while under_way.join_next().await.is_some() {}
    let seen = seen.lock();
    let percentile = |quantile| {
        let millis = seen.millis.value_at_quantile(quantile);
        f64::from(u32::try_from(millis).unwrap_or(u32::MAX))
    };
    Step {
        name: String::new(),
        memory: 0,
        rate,
        seconds: time.as_secs_f64(),
        kinds: seen.kinds.clone(),
        p50: percentile(0.5),
        p99: percentile(0.99),
    }
}

async fn one(shoppers: &Shoppers, seen: &Mutex<Seen>, kind: Kind) {
    let asked_at = Instant::now();
    let ended = timeout(PATIENCE, shoppers.act(kind)).await;
    let took = u64::try_from(asked_at.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut seen = seen.lock();
    let Seen { kinds, millis } = &mut *seen;
    let Some((_, counts)) = kinds.iter_mut().find(|(it, _)| *it == kind) else {
        return;
    };
    counts.offered += 1;
    match ended {
        Ok(End::Answered) => {
            counts.answered += 1;
            millis.saturating_record(took);
        }
        Ok(End::Refused) => counts.refused += 1,
        Ok(End::Failed) => counts.failed += 1,
        Err(_) => counts.late += 1,
    }
}
