//! The limiter of a process, its doors, and the place of one request.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use parking_lot::Mutex;
use pin_project_lite::pin_project;
use schema::code::ErrorCode;
use tokio::{
    sync::oneshot,
    time::{Instant, Sleep, sleep, timeout_at},
};

use super::{config::Config, limit::AdaptiveLimit, metrics, priority::Priority, queue::Queue};
use crate::fault::Coded;

/// The least that a request is taken to cost, while nobody knows what one of its class takes.
const COST_MIN: Duration = Duration::from_millis(1);

/// The places of a process. Clones share them.
#[derive(Debug, Clone)]
pub struct Limiter(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    name: &'static str,
    config: Config,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limit: AdaptiveLimit,
    taken: [usize; Priority::ALL.len()],
    queue: Queue<oneshot::Sender<Permit>>,
    /// When nobody waited last.
    calm_at: Instant,
    /// Until then more comes than can be served: somebody had to go for want of a place.
    overloaded_until: Instant,
}

/// An interface of the process on which requests come in, by its name in metrics.
#[derive(Debug, Clone)]
pub struct Door {
    limiter: Limiter,
    name: &'static str,
}

/// A place. Dropped, it is free for the next.
#[derive(Debug)]
#[must_use = "dropped, the place is free again"]
pub struct Permit {
    shared: Option<Arc<Shared>>,
    class: Priority,
    since: Instant,
}

/// No place became free in time; nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many requests for the moment; nothing was done, try again after {} s", .retry_after.as_secs())]
pub struct Refusal {
    /// When a retry has a chance; at least a second.
    pub retry_after: Duration,
}

impl Coded for Refusal {
    fn code(&self) -> ErrorCode {
        ErrorCode::Overloaded
    }

    fn retry_after(&self) -> Option<Duration> {
        Some(self.retry_after)
    }
}

impl Limiter {
    /// Places as `config` has them; `name` is the label of their metrics.
    #[must_use]
    pub fn new(name: &'static str, config: Config) -> Self {
        let now = Instant::now();
        let limit = AdaptiveLimit::new(&config, now);
        let shared = Shared {
            name,
            state: Mutex::new(State {
                limit,
                taken: [0; Priority::ALL.len()],
                queue: Queue::default(),
                calm_at: now,
                overloaded_until: now,
            }),
            config,
        };
        shared.show(&shared.state.lock());
        Self(Arc::new(shared))
    }

    /// A door to these places.
    #[must_use]
    pub fn door(&self, name: &'static str) -> Door {
        metrics::announce(name);
        Door {
            limiter: self.clone(),
            name,
        }
    }
}

impl Door {
    /// Waits for a place, at most until `deadline`, when the caller leaves.
    ///
    /// # Errors
    /// [`Refusal`] when none becomes free in time, at once when the deadline leaves too little for the work itself.
    ///
    /// # Cancel safety
    /// Dropped while it waits, it holds none and is passed over.
    pub async fn admit(
        &self,
        class: Priority,
        deadline: Option<Instant>,
    ) -> Result<Permit, Refusal> {
        let asked_at = Instant::now();
        let admitted = self.limiter.0.admit(class, deadline).await;
        let labels = [self.name, class.as_str()];
        metrics::WAIT
            .with_label_values(&labels)
            .observe(asked_at.elapsed().as_secs_f64());
        let counter = match admitted {
            Ok(_) => &metrics::ADMITTED,
            Err(_) => &metrics::REFUSED,
        };
        counter.with_label_values(&labels).inc();
        admitted
    }
}

impl Shared {
    async fn admit(
        self: &Arc<Self>,
        class: Priority,
        deadline: Option<Instant>,
    ) -> Result<Permit, Refusal> {
        let (place, until) = match self.ask(class, deadline)? {
            Asked::Admitted(permit) => return Ok(permit),
            Asked::Waits(place, until) => (place, until),
        };
        match timeout_at(until, place).await {
            Ok(Ok(permit)) => Ok(permit),
            // Dropped by the queue, which has more to hold than it can.
            Ok(Err(_)) => Err(self.refusal()),
            Err(_) => {
                // Who said so itself how long it waits tells nothing about the others.
                if deadline.is_none_or(|deadline| until < deadline) {
                    let now = Instant::now();
                    self.state.lock().set_overloaded(&self.config, now);
                }
                Err(self.refusal())
            }
        }
    }

    fn ask(self: &Arc<Self>, class: Priority, deadline: Option<Instant>) -> Result<Asked, Refusal> {
        let now = Instant::now();
        let mut state = self.state.lock();
        if state.queue.is_empty() {
            state.calm_at = now;
        }
        let left = deadline.map(|deadline| deadline.saturating_duration_since(now));
        let is_hopeless = left.is_some_and(|left| left <= state.limit.at_rest(class));
        if self.config.enabled && is_hopeless {
            return Err(self.refusal());
        }
        if !self.config.enabled || (state.queue.is_empty() && state.has_room(class)) {
            return Ok(Asked::Admitted(self.grant(&mut state, class, now)));
        }
        state.limit.was_full();
        let until = now + state.patience(&self.config, class, now);
        let until = deadline.map_or(until, |deadline| until.min(deadline));
        let (sender, place) = oneshot::channel();
        let max = if class == Priority::Resume {
            self.config.resume_queue_max
        } else {
            self.config.queue_max
        };
        // Whoever had to go sees its sender dropped.
        if state.queue.push(class, sender, now, max).is_some() {
            state.set_overloaded(&self.config, now);
        }
        self.fill(&mut state, now);
        Ok(Asked::Waits(place, until))
    }

    fn refusal(&self) -> Refusal {
        let retry_after = Duration::from_secs(1).max(self.config.wait);
        Refusal { retry_after }
    }

    fn grant(self: &Arc<Self>, state: &mut State, class: Priority, now: Instant) -> Permit {
        state.taken[class.index()] += 1;
        self.show(state);
        Permit {
            shared: Some(Arc::clone(self)),
            class,
            since: now,
        }
    }

    fn give_back(self: &Arc<Self>, class: Priority, since: Instant) {
        let now = Instant::now();
        let mut state = self.state.lock();
        state.give_back(class);
        let took = now.saturating_duration_since(since);
        state.limit.observe(&self.config, now, class, took);
        self.fill(&mut state, now);
        self.show(&state);
    }

    /// Gives free places to those who wait and are still there.
    fn fill(self: &Arc<Self>, state: &mut State, now: Instant) {
        state.drop_burst(&self.config, now);
        while !state.queue.is_empty() {
            let (places, taken) = (state.limit.places(), state.taken);
            if taken.iter().sum::<usize>() >= places {
                return;
            }
            let may = |class: Priority| taken[class.index()] < class.most_of(places);
            let State { limit, queue, .. } = &mut *state;
            let cost = |class| limit.at_rest(class).max(COST_MIN).as_secs_f64();
            let turn = |class| self.config.turn(class);
            let Some((class, waiter)) = queue.pop(now, may, turn, cost) else {
                return;
            };
            let permit = self.grant(state, class, now);
            if let Err(mut permit) = waiter.send(permit) {
                // Its caller has left. The lock is held, so the place goes back here.
                permit.shared = None;
                state.give_back(class);
            }
        }
        state.calm_at = now;
    }

    fn show(&self, state: &State) {
        let gauge = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
        let (places, taken) = (state.limit.places(), state.taken.iter().sum());
        metrics::PLACES
            .with_label_values(&[self.name])
            .set(gauge(places));
        metrics::TAKEN
            .with_label_values(&[self.name])
            .set(gauge(taken));
    }
}

enum Asked {
    Admitted(Permit),
    Waits(oneshot::Receiver<Permit>, Instant),
}

impl State {
    fn has_room(&self, class: Priority) -> bool {
        let places = self.limit.places();
        self.taken.iter().sum::<usize>() < places
            && self.taken[class.index()] < class.most_of(places)
    }

    /// How long one of the class may wait: long in a burst, short while more comes than can be served.
    fn patience(&self, config: &Config, class: Priority, now: Instant) -> Duration {
        let standing = config.standing_wait(class);
        if self.is_burst(config, now) {
            standing.max(config.burst_wait)
        } else {
            standing
        }
    }

    fn is_burst(&self, config: &Config, now: Instant) -> bool {
        now >= self.overloaded_until
            && now.saturating_duration_since(self.calm_at) < config.burst_wait
    }

    /// Notes that more comes than can be served, which holds until nobody had to go for as long as a burst lasts.
    fn set_overloaded(&mut self, config: &Config, now: Instant) {
        self.overloaded_until = now + config.burst_wait;
        self.drop_burst(config, now);
    }

    /// Lets those go who came when it was a burst and who have by now waited longer than one may.
    fn drop_burst(&mut self, config: &Config, now: Instant) {
        if !self.is_burst(config, now) {
            self.queue
                .drop_older(|class| now.checked_sub(config.standing_wait(class)));
        }
    }

    fn give_back(&mut self, class: Priority) {
        let taken = &mut self.taken[class.index()];
        *taken = taken.saturating_sub(1);
    }
}

impl Permit {
    /// Does `work` on this place, and on none when it takes longer than a request works: then it waits for something.
    ///
    /// # Cancel safety
    /// That of `work`; dropped, the place is free.
    pub fn hold<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        let time = self.shared.as_ref().map(|shared| shared.config.place_time);
        Holding {
            work,
            time: sleep(time.unwrap_or_default()),
            permit: Some(self),
        }
    }
}

pin_project! {
    /// Work on a place. (An async function would have room for the work twice: as its argument, and pinned.)
    struct Holding<F> {
        #[pin]
        work: F,
        #[pin]
        time: Sleep,
        permit: Option<Permit>,
    }
}

impl<F: Future> Future for Holding<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let done = this.work.poll(cx);
        if this.permit.is_some() && (done.is_ready() || this.time.poll(cx).is_ready()) {
            drop(this.permit.take());
        }
        done
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            shared.give_back(self.class, self.since);
        }
    }
}
