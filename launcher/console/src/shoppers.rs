//! Load on a slider: shoppers on the public API who order so often, until the slider stands elsewhere.

use std::sync::Arc;
use std::time::Duration;

use chassis::tasks::Tasks;
use load::{Arrivals, Live, Load, Mix, Plan};
use parking_lot::Mutex;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::refusal::Refusal;

/// Orders a second at most.
const MOST: f64 = 200.0;
/// Load that nobody takes away ends after so long.
const LONGEST: Duration = Duration::from_mins(10);
/// An order is three operations: into the cart, out of it, paid.
const OPERATIONS: f64 = 3.0;
const MIX: &str = "add=1,checkout=1,pay=1";
/// Users who order.
const SHOPPERS: usize = 100;

/// The load that the console puts on its marketplace. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Shoppers {
    router: Url,
    run: Arc<Mutex<Run>>,
    tasks: Tasks,
}

/// The run that the slider stands for.
#[derive(Debug, Default)]
struct Run {
    number: u64,
    rate: f64,
    stop: Option<CancellationToken>,
    live: Option<Live>,
    error: Option<String>,
}

/// What `GET` and `PUT load` answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shown {
    rate: f64,
    running: bool,
    ordered: u64,
    failed: u64,
    p99_ms: f64,
    /// Why it does not run, in words.
    error: Option<String>,
}

impl Shoppers {
    pub(crate) fn new(router: Url, tasks: Tasks) -> Self {
        Self {
            router,
            run: Arc::default(),
            tasks,
        }
    }

    /// How it goes; the counts are those of the last run when none goes on.
    pub(crate) fn shown(&self) -> Shown {
        let run = self.run.lock();
        let progress = run.live.as_ref().map(Live::progress).unwrap_or_default();
        Shown {
            rate: run.rate,
            running: run.stop.is_some(),
            ordered: progress.ordered,
            failed: progress.failed,
            p99_ms: progress.p99_ms,
            error: run.error.clone(),
        }
    }

    /// Ends what runs and lets so many orders a second become due; 0: none.
    ///
    /// # Errors
    /// [`Refusal::Argument`] for a rate that is out of its bounds.
    pub(crate) fn set(&self, rate: f64) -> Result<Shown, Refusal> {
        if !(0.0..=MOST).contains(&rate) {
            let text = format!("rate is {rate}: it must be from 0 to {MOST} orders a second");
            return Err(Refusal::Argument(text));
        }
        let (number, stop) = {
            let mut run = self.run.lock();
            if let Some(stop) = run.stop.take() {
                stop.cancel();
            }
            run.rate = rate;
            run.error = None;
            run.number += 1;
            run.stop = (rate > 0.0).then(CancellationToken::new);
            (run.number, run.stop.clone())
        };
        if let Some(stop) = stop {
            let (shopping, stopping) = (self.clone().shop(number, rate, stop), self.tasks.token());
            // Where everything stops, nobody waits for the last answers.
            let shopping = async move { stopping.run_until_cancelled(shopping).await };
            drop(self.tasks.spawn("load of the console", shopping));
        }
        Ok(self.shown())
    }

    async fn shop(self, number: u64, rate: f64, stop: CancellationToken) {
        let plan = plan(self.router.clone(), rate);
        let prepared = stop.run_until_cancelled(Load::prepare(plan)).await;
        let error = match prepared {
            None => return,
            Some(Err(error)) => Some(error.to_string()),
            Some(Ok(load)) => {
                self.change(number, |run| run.live = Some(load.live()));
                load.run(stop).await;
                None
            }
        };
        self.change(number, |run| {
            run.stop = None;
            run.rate = 0.0;
            run.error = error;
        });
    }

    /// Changes the run unless another one has taken its place.
    fn change(&self, number: u64, change: impl FnOnce(&mut Run)) {
        let mut run = self.run.lock();
        if run.number == number {
            change(&mut run);
        }
    }
}

fn plan(router: Url, orders: f64) -> Plan {
    Plan {
        url: router,
        rest_url: None,
        admin_url: None,
        rate: orders * OPERATIONS,
        arrivals: Arrivals::Poisson,
        duration: LONGEST,
        shoppers: SHOPPERS,
        subscribers: 0,
        seed: rand::random(),
        mix: MIX.parse::<Mix>().unwrap_or_default(),
        hot: 10,
        in_flight_max: SHOPPERS,
        patience: Duration::from_secs(5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mix_is_one_that_load_knows() {
        let mix = MIX.parse::<Mix>().unwrap();
        assert_ne!(mix, Mix::default());
    }

    #[tokio::test]
    async fn a_rate_out_of_its_bounds_is_refused_and_a_router_that_is_away_is_told() {
        let nowhere = Url::parse("http://127.0.0.1:1/").unwrap();
        let shoppers = Shoppers::new(nowhere, Tasks::new());
        for bad in [-1.0, 200.5, f64::NAN, f64::INFINITY] {
            let refused = shoppers.set(bad).unwrap_err();
            assert!(refused.to_string().contains("from 0 to 200"), "{refused}");
        }
        assert!(shoppers.set(1.0).unwrap().running);
        while shoppers.shown().running {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let shown = shoppers.shown();
        assert!(shown.error.is_some() && shown.rate == 0.0, "{shown:?}");
        assert!(shoppers.set(0.0).unwrap().error.is_none());
    }
}
