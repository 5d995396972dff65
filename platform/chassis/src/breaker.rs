//! Gives up at once on a service that is known to be down, and finds out with single calls when it is back.
//!
//! Closed, calls pass and the last outcomes are remembered; when half of them are failures, and there are enough, it opens.
//! Open, calls are refused for a moment. Then one call passes as a probe: it has little patience, which grows from probe to
//! probe, so that nobody waits long for a dead service and a slow one still gets back in. A call that its caller left counts
//! as a failure when it had already taken long: a service that hangs is often seen in no other way.

use std::{collections::VecDeque, sync::LazyLock, time::Duration};

use parking_lot::Mutex;
use prometheus::{IntGaugeVec, register_int_gauge_vec};
use tokio::time::Instant;

/// Outcomes that are remembered.
const WINDOW: usize = 20;
/// Failures below which nothing is concluded.
const FAILURES_MIN: usize = 3;
/// How long calls are refused before one may find out.
const OPEN_FOR: Duration = Duration::from_secs(1);
/// The first probe's patience; it doubles up to [`PATIENCE_MAX`].
const PATIENCE: Duration = Duration::from_millis(300);
const PATIENCE_MAX: Duration = Duration::from_millis(1_200);
/// After this time a call that its caller left is evidence against the service.
const LONG: Duration = Duration::from_secs(1);

static OPEN: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    register_int_gauge_vec!(
        "marketplace_breaker_open",
        "1 while calls to the service are refused because it is known to be down",
        &["service"]
    )
    .expect("the name is registered once")
});

/// Watches the calls to one service. Shared by all who call it.
#[derive(Debug)]
pub struct Breaker {
    service: &'static str,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Closed { failed: VecDeque<bool> },
    Open { until: Instant, patience: Duration },
    Probing { patience: Duration },
}

/// The service is known to be down; nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is known to be down and is asked again in {retry_after:?}")]
pub struct Refused {
    /// When a call may pass again.
    pub retry_after: Duration,
}

/// The right to one call. Its end is told with [`Pass::succeed`] or [`Pass::fail`]; dropped, the caller has left.
#[derive(Debug)]
#[must_use]
pub struct Pass<'a> {
    breaker: &'a Breaker,
    began_at: Instant,
    probe: Option<Duration>,
    ended: bool,
}

impl Breaker {
    /// A closed breaker before the service of that name.
    #[must_use]
    pub fn new(service: &'static str) -> Self {
        OPEN.with_label_values(&[service]).set(0);
        Self {
            service,
            state: Mutex::new(State::closed()),
        }
    }

    /// Whether a call would be refused now. For those who would first have to wait for something else.
    ///
    /// # Errors
    /// [`Refused`] while the service is known to be down.
    pub fn check(&self) -> Result<(), Refused> {
        self.state
            .lock()
            .refusal(Instant::now())
            .map_or(Ok(()), Err)
    }

    /// Asks to make a call.
    ///
    /// # Errors
    /// [`Refused`] while the service is known to be down.
    pub fn enter(&self) -> Result<Pass<'_>, Refused> {
        let now = Instant::now();
        let mut state = self.state.lock();
        if let Some(refused) = state.refusal(now) {
            return Err(refused);
        }
        let probe = match *state {
            State::Open { patience, .. } => {
                *state = State::Probing { patience };
                Some(patience)
            }
            State::Closed { .. } | State::Probing { .. } => None,
        };
        Ok(Pass {
            breaker: self,
            began_at: now,
            probe,
            ended: false,
        })
    }

    fn record(&self, probe: Option<Duration>, is_failure: bool) {
        let mut state = self.state.lock();
        match (&mut *state, probe) {
            (_, Some(patience)) if is_failure => {
                *state = State::open((patience * 2).min(PATIENCE_MAX));
            }
            (_, Some(_)) => *state = State::closed(),
            (State::Closed { failed }, None) => {
                failed.push_back(is_failure);
                if failed.len() > WINDOW {
                    failed.pop_front();
                }
                let failures = failed.iter().filter(|failed| **failed).count();
                if failures >= FAILURES_MIN && failures * 2 >= failed.len() {
                    *state = State::open(PATIENCE);
                }
            }
            // What was under way when it opened tells nothing new.
            (State::Open { .. } | State::Probing { .. }, None) => {}
        }
        let is_open = !matches!(*state, State::Closed { .. });
        OPEN.with_label_values(&[self.service])
            .set(i64::from(is_open));
    }
}

impl State {
    const fn closed() -> Self {
        Self::Closed {
            failed: VecDeque::new(),
        }
    }

    fn refusal(&self, now: Instant) -> Option<Refused> {
        let retry_after = match self {
            Self::Closed { .. } => return None,
            Self::Open { until, .. } if *until <= now => return None,
            Self::Open { until, .. } => *until - now,
            Self::Probing { patience } => *patience,
        };
        Some(Refused { retry_after })
    }

    fn open(patience: Duration) -> Self {
        Self::Open {
            until: Instant::now() + OPEN_FOR,
            patience,
        }
    }
}

impl Pass<'_> {
    /// The most that this call should wait, where that is less than usual: it is a probe.
    #[must_use]
    pub const fn patience(&self) -> Option<Duration> {
        self.probe
    }

    /// The service responded, with whatever it had to say.
    pub fn succeed(self) {
        self.end(false);
    }

    /// The service did not respond, or only that it cannot.
    pub fn fail(self) {
        self.end(true);
    }

    fn end(mut self, is_failure: bool) {
        self.ended = true;
        self.breaker.record(self.probe, is_failure);
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let was_long = self.began_at.elapsed() >= LONG;
        match self.probe {
            // Left early, it found out nothing: the next call is the probe.
            Some(patience) if !was_long => {
                *self.breaker.state.lock() = State::Open {
                    until: Instant::now(),
                    patience,
                };
            }
            probe if was_long => self.breaker.record(probe, true),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breaker: &Breaker, times: usize) {
        for _ in 0..times {
            breaker.enter().unwrap().fail();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_when_half_of_the_last_calls_failed_and_not_for_a_few() {
        let breaker = Breaker::new("test");
        for _ in 0..10 {
            fail(&breaker, 1);
            breaker.enter().unwrap().succeed();
            breaker.enter().unwrap().succeed();
        }
        assert!(breaker.enter().is_ok(), "a third fails");
        let dead = Breaker::new("test");
        fail(&dead, 2);
        assert!(dead.enter().is_ok(), "two are too few");
        fail(&dead, 1);
        let refused = dead.enter().unwrap_err();
        assert_eq!(refused.retry_after, OPEN_FOR);
    }

    #[tokio::test(start_paused = true)]
    async fn one_probe_at_a_time_finds_out_and_each_has_more_patience() {
        let breaker = Breaker::new("test");
        fail(&breaker, 3);
        for patience in [300, 600, 1_200, 1_200] {
            tokio::time::advance(OPEN_FOR).await;
            let probe = breaker.enter().unwrap();
            assert_eq!(probe.patience(), Some(Duration::from_millis(patience)));
            assert!(breaker.enter().is_err(), "the others do not wait for it");
            probe.fail();
            assert!(breaker.enter().is_err());
        }
        tokio::time::advance(OPEN_FOR).await;
        breaker.enter().unwrap().succeed();
        assert_eq!(breaker.enter().unwrap().patience(), None, "closed");
    }

    /// Callers that leave before the timeout are all that is seen of a service that hangs.
    #[tokio::test(start_paused = true)]
    async fn calls_that_were_left_count_when_they_had_taken_long() {
        let breaker = Breaker::new("test");
        for _ in 0..10 {
            drop(breaker.enter().unwrap());
        }
        assert!(breaker.enter().is_ok(), "left at once");
        let passes: Vec<_> = (0..3).map(|_| breaker.enter().unwrap()).collect();
        tokio::time::advance(LONG).await;
        drop(passes);
        assert!(breaker.enter().is_err());
        tokio::time::advance(OPEN_FOR).await;
        drop(breaker.enter().unwrap());
        assert!(
            breaker.enter().unwrap().patience().is_some(),
            "a probe that was left is followed by another"
        );
    }
}
