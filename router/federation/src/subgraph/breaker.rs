//! Gives up at once on a subgraph that is known to be down, and finds out with single fetches when it is back.
//!
//! Closed, fetches pass and the last outcomes are remembered; when half of them are failures, and there are enough, it
//! opens. Slow counts as failed, at once and not only when the fetch ends: a subgraph that hangs is seen in no other way.
//! Where other fetches come back quickly meanwhile, it is the fetch that is slow and not the subgraph: nobody's heavy
//! operations shut it for the others.
//! Open, fetches are refused for a while. Then one passes as a probe with little patience, which grows from probe to
//! probe, so that nobody waits long for a dead subgraph and a slow one still gets back in.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::host::Telemetry;
use crate::subgraph::config::FetchConfig;

/// Outcomes that are remembered.
const WINDOW: usize = 20;

/// Watches the fetches from one subgraph.
pub(super) struct Breaker {
    subgraph: Box<str>,
    failures: usize,
    slow: Duration,
    open_for: Duration,
    patience: Duration,
    state: Mutex<State>,
    telemetry: Arc<dyn Telemetry>,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// Fetches pass; whether the last ones failed, and when one last came back quickly.
    Closed {
        failed: VecDeque<bool>,
        good_at: Option<Instant>,
    },
    /// Fetches are refused until then.
    Open { until: Instant, patience: Duration },
    /// One fetch is on its way to find out.
    Probing { patience: Duration },
}

/// Fetches are refused for now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct IsOpen;

/// The right to one fetch. Dropped before its end was told, the caller has left.
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    began_at: Instant,
    probe: Option<Duration>,
    is_told: bool,
}

impl Breaker {
    /// A closed breaker; `None` where the settings leave it out.
    pub(super) fn new(
        subgraph: &str,
        config: &FetchConfig,
        telemetry: Arc<dyn Telemetry>,
    ) -> Option<Self> {
        (config.breaker_failures > 0).then(|| Self {
            subgraph: subgraph.into(),
            failures: usize::try_from(config.breaker_failures).unwrap_or(usize::MAX),
            slow: config.breaker_slow,
            open_for: config.breaker_open,
            patience: config.breaker_probe.min(config.breaker_slow),
            state: Mutex::new(State::closed()),
            telemetry,
        })
    }

    /// Asks to make a fetch.
    ///
    /// # Errors
    /// [`IsOpen`] while the subgraph is known to be down.
    pub(super) fn enter(&self) -> Result<Pass<'_>, IsOpen> {
        let began_at = Instant::now();
        let mut state = self.state.lock();
        let probe = match *state {
            State::Closed { .. } => None,
            State::Open { until, patience } if until <= began_at => {
                *state = State::Probing { patience };
                Some(patience)
            }
            State::Open { .. } | State::Probing { .. } => return Err(IsOpen),
        };
        Ok(Pass {
            breaker: self,
            began_at,
            probe,
            is_told: false,
        })
    }

    /// Whether a fetch came back quickly not long ago.
    fn is_alive(&self) -> bool {
        let State::Closed { good_at, .. } = *self.state.lock() else {
            return false;
        };
        good_at.is_some_and(|at| at.elapsed() * 2 < self.slow)
    }

    fn record(&self, probe: Option<Duration>, is_failure: bool, is_quick: bool) {
        let mut state = self.state.lock();
        match (&mut *state, probe) {
            (_, Some(patience)) if is_failure => {
                *state = self.open((patience * 2).min(self.slow));
            }
            (_, Some(_)) => *state = State::closed(),
            (State::Closed { failed, good_at }, None) => {
                if !is_failure && is_quick {
                    *good_at = Some(Instant::now());
                }
                if failed.len() == WINDOW {
                    failed.pop_front();
                }
                failed.push_back(is_failure);
                let failures = failed.iter().filter(|failed| **failed).count();
                if failures >= self.failures.min(WINDOW) && failures * 2 >= failed.len() {
                    *state = self.open(self.patience);
                }
            }
            // What was under way when it opened tells nothing new.
            (State::Open { .. } | State::Probing { .. }, None) => {}
        }
        let is_open = !matches!(*state, State::Closed { .. });
        self.telemetry.breaker(&self.subgraph, is_open);
    }

    fn open(&self, patience: Duration) -> State {
        State::Open {
            until: Instant::now() + self.open_for,
            patience,
        }
    }
}

impl State {
    fn closed() -> Self {
        Self::Closed {
            failed: VecDeque::with_capacity(WINDOW),
            good_at: None,
        }
    }
}

impl Pass<'_> {
    /// After this time the fetch counts as failed.
    pub(super) fn patience(&self) -> Duration {
        self.probe.unwrap_or(self.breaker.slow)
    }

    /// Whether the fetch is to find out if the subgraph is back.
    pub(super) fn is_probe(&self) -> bool {
        self.probe.is_some()
    }

    /// Whether a failure after this time is one that callers feel; a quick one harms nobody who is let through.
    pub(super) fn is_felt(&self) -> bool {
        self.began_at.elapsed() >= self.breaker.patience
    }

    /// Nobody is told how the fetch went.
    pub(super) fn says_nothing(&mut self) {
        self.is_told = true;
    }

    /// Tells that the fetch takes longer than its patience.
    pub(super) fn is_slow(&mut self) {
        if !self.breaker.is_alive() {
            self.tell(true);
        }
    }

    /// Tells how the fetch went. What is told first holds.
    pub(super) fn tell(&mut self, is_failure: bool) {
        if !std::mem::replace(&mut self.is_told, true) {
            let is_quick = self.began_at.elapsed() < self.patience();
            self.breaker.record(self.probe, is_failure, is_quick);
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.is_told {
            return;
        }
        // Who left after a long wait left because of it.
        if self.began_at.elapsed() * 2 >= self.patience() {
            if !self.breaker.is_alive() {
                self.breaker.record(self.probe, true, false);
            }
            return;
        }
        if let Some(patience) = self.probe {
            // It found out nothing: the next fetch is the probe.
            *self.breaker.state.lock() = State::Open {
                until: Instant::now(),
                patience,
            };
        }
    }
}
