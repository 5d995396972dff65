//! How many places there are: fewer while requests are slow, more while all places are taken and requests are fast.
//!
//! Additive increase, multiplicative decrease by latency against that class's own latency at rest. A gradient (the limit
//! times rest over now) needs one latency for all: in a mix of reads and checkouts it follows the mix, not the load.

use std::time::Duration;

use tokio::time::Instant;

use super::{config::Config, priority::Priority};

/// How long latencies are gathered before the limit moves, and how many of them it takes.
const WINDOW: Duration = Duration::from_millis(100);
const SAMPLES: u32 = 16;
/// What is left of the limit after a slow window.
const DECREASE: f64 = 0.9;
/// How fast the latency at rest follows one that stays higher: twice as high after 700 windows.
const DRIFT: f64 = 1.001;
const CLASSES: usize = Priority::ALL.len();

/// The limit and what moves it.
#[derive(Debug)]
pub(super) struct AdaptiveLimit {
    places: f64,
    /// Seconds of each class at rest; none before its first window.
    rest: [Option<f64>; CLASSES],
    window: Window,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    seconds: [f64; CLASSES],
    samples: [u32; CLASSES],
    was_full: bool,
}

impl Window {
    fn new(since: Instant) -> Self {
        Self {
            since,
            seconds: [0.0; CLASSES],
            samples: [0; CLASSES],
            was_full: false,
        }
    }
}

impl AdaptiveLimit {
    pub(super) fn new(config: &Config, now: Instant) -> Self {
        Self {
            places: between(config, count(config.places_min) * 2.0),
            rest: [None; CLASSES],
            window: Window::new(now),
        }
    }

    /// The places that there are now.
    pub(super) fn places(&self) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between two settings, which are counts above 0"
        )]
        let places = self.places as usize;
        places.max(1)
    }

    /// How long a request of the class takes at rest; zero while nobody knows.
    pub(super) fn at_rest(&self, class: Priority) -> Duration {
        let seconds = self.rest[class.index()].unwrap_or_default();
        Duration::try_from_secs_f64(seconds).unwrap_or_default()
    }

    /// All places were taken when one more was wanted.
    pub(super) fn was_full(&mut self) {
        self.window.was_full = true;
    }

    /// A request held its place for `took`.
    pub(super) fn observe(
        &mut self,
        config: &Config,
        now: Instant,
        class: Priority,
        took: Duration,
    ) {
        let window = &mut self.window;
        window.seconds[class.index()] += took.as_secs_f64();
        window.samples[class.index()] += 1;
        let gathered: u32 = window.samples.iter().sum();
        if gathered >= SAMPLES && now.saturating_duration_since(window.since) >= WINDOW {
            let window = std::mem::replace(&mut self.window, Window::new(now));
            self.close(config, &window);
        }
    }

    fn close(&mut self, config: &Config, window: &Window) {
        let calm = config.calm_latency.as_secs_f64();
        let (mut took, mut expected) = (0.0, 0.0);
        for class in Priority::ALL.map(Priority::index) {
            let samples = f64::from(window.samples[class]);
            if samples > 0.0 {
                let mean = window.seconds[class] / samples;
                let rest = self.rest[class].map_or(mean, |rest| mean.min(rest * DRIFT));
                self.rest[class] = Some(rest);
                took += window.seconds[class];
                expected += samples * rest.max(calm);
            }
        }
        if took > expected * config.tolerance {
            self.places = between(config, self.places * DECREASE);
        } else if window.was_full {
            self.places = between(config, self.places + 1.0);
        }
    }
}

fn between(config: &Config, places: f64) -> f64 {
    places
        .min(count(config.places_max))
        .max(count(config.places_min.min(config.places_max)))
}

fn count(places: usize) -> f64 {
    f64::from(u32::try_from(places).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(limit: &mut AdaptiveLimit, now: &mut Instant, windows: u32, millis: u64) {
        for _ in 0..windows {
            *now += WINDOW;
            limit.was_full();
            for _ in 0..SAMPLES {
                let took = Duration::from_millis(millis);
                limit.observe(&Config::default(), *now, Priority::Read, took);
            }
        }
    }

    /// Seen red without the decrease.
    #[tokio::test]
    async fn the_limit_falls_while_requests_are_slow_and_rises_again() {
        let config = Config::default();
        let mut now = Instant::now();
        let mut limit = AdaptiveLimit::new(&config, now);
        run(&mut limit, &mut now, 50, 5);
        let calm = limit.places();
        assert!(calm > config.places_min * 2, "{calm}");
        run(&mut limit, &mut now, 50, 200);
        assert_eq!(limit.places(), config.places_min);
        run(&mut limit, &mut now, 50, 5);
        assert!(limit.places() > config.places_min);
    }

    #[tokio::test]
    async fn a_limit_that_nobody_reaches_stays() {
        let config = Config::default();
        let now = Instant::now();
        let mut limit = AdaptiveLimit::new(&config, now);
        let before = limit.places();
        for _ in 0..100 {
            limit.observe(&config, now + WINDOW, Priority::Read, Duration::ZERO);
        }
        assert_eq!(limit.places(), before);
    }
}
