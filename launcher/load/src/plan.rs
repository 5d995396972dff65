//! What a run does and when: the plan, and the schedule that follows from its seed.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde::Serialize;
use url::Url;

/// Everything that decides a run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The router: `/graphql` and `/demo/token` are below it.
    pub url: Url,
    /// The cart's REST listener; without it no operation goes over REST.
    pub rest_url: Option<Url>,
    /// The operators' listener, asked for the server's memory at `/metrics`.
    pub admin_url: Option<Url>,
    /// Operations a second that become due.
    pub rate: f64,
    /// How they are spread over time.
    pub arrivals: Arrivals,
    /// How long operations become due.
    pub duration: Duration,
    /// Users that take part; each does one thing at a time.
    pub shoppers: usize,
    /// Subscriptions that are open all the time, dealt to the shoppers in turn.
    pub subscribers: usize,
    /// The same seed gives the same arrivals, kinds and draws.
    pub seed: u64,
    /// What the shoppers do.
    pub mix: Mix,
    /// Products that get half of all purchases; the others share the rest.
    pub hot: usize,
    /// Operations under way at once; more are counted and dropped.
    pub in_flight_max: usize,
    /// How long an operation without a response is retried.
    pub patience: Duration,
}

/// How arrivals are spread over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Arrivals {
    /// Independent of each other, as people come.
    Poisson,
    /// At equal distances.
    Fixed,
}

/// What a shopper does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Reads a page of the catalogue with stock.
    Browse,
    /// Puts a product into the cart.
    Add,
    /// Orders the cart.
    Checkout,
    /// Pays an order.
    Pay,
    /// Calls an order off.
    Cancel,
    /// Comments on a product, or edits the comment.
    Comment,
    /// Reads the own orders with their history.
    History,
    /// Asks for something that must be refused, and checks the code.
    Refusal,
    /// Puts a product into the cart over REST and reads the cart.
    Rest,
}

impl Kind {
    /// All of them, in the order of a report.
    pub const ALL: [Self; 9] = [
        Self::Browse,
        Self::Add,
        Self::Checkout,
        Self::Pay,
        Self::Cancel,
        Self::Comment,
        Self::History,
        Self::Refusal,
        Self::Rest,
    ];

    /// Its name in a mix and in a report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Browse => "browse",
            Self::Add => "add",
            Self::Checkout => "checkout",
            Self::Pay => "pay",
            Self::Cancel => "cancel",
            Self::Comment => "comment",
            Self::History => "history",
            Self::Refusal => "refusal",
            Self::Rest => "rest",
        }
    }
}

/// How often each kind comes, as weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mix([u32; Kind::ALL.len()]);

impl Default for Mix {
    /// A shop's day: much looking, some buying. REST is left out.
    fn default() -> Self {
        Self([30, 24, 12, 9, 2, 5, 13, 5, 0])
    }
}

/// A mix that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum WrongMix {
    /// There is no such kind.
    #[error(
        "{0} is no operation; there are browse, add, checkout, pay, cancel, comment, history, refusal, rest"
    )]
    Unknown(String),
    /// The weight is no whole number.
    #[error("{0} is not NAME=WEIGHT with a whole number, as in browse=30")]
    Weight(String),
    /// Nothing is left to do.
    #[error("every weight is 0")]
    Nothing,
}

impl FromStr for Mix {
    type Err = WrongMix;

    /// `browse=30,add=20`; a kind that is not named does not come.
    fn from_str(text: &str) -> Result<Self, WrongMix> {
        let mut weights = [0; Kind::ALL.len()];
        for part in text.split(',').map(str::trim) {
            let wrong = || WrongMix::Weight(part.to_owned());
            let (name, weight) = part.split_once('=').ok_or_else(wrong)?;
            let place = Kind::ALL.iter().position(|kind| kind.name() == name);
            let place = place.ok_or_else(|| WrongMix::Unknown(name.to_owned()))?;
            weights[place] = weight.parse().map_err(|_| wrong())?;
        }
        if weights.iter().all(|weight| *weight == 0) {
            return Err(WrongMix::Nothing);
        }
        Ok(Self(weights))
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = Kind::ALL.iter().zip(self.0);
        let parts: Vec<_> = named
            .filter(|(_, weight)| *weight > 0)
            .map(|(kind, weight)| format!("{}={weight}", kind.name()))
            .collect();
        f.write_str(&parts.join(","))
    }
}

impl Mix {
    /// Draws a kind.
    pub(crate) fn draw(&self, random: &mut StdRng) -> Kind {
        let whole: u32 = self.0.iter().sum();
        let mut left = random.random_range(0..whole.max(1));
        for (kind, weight) in Kind::ALL.into_iter().zip(self.0) {
            if left < weight {
                return kind;
            }
            left -= weight;
        }
        Kind::Browse
    }

    /// The same mix with this weight for a kind.
    #[must_use]
    pub fn with(mut self, kind: Kind, weight: u32) -> Self {
        let named = Kind::ALL.iter().zip(&mut self.0);
        for (_, slot) in named.filter(|(other, _)| **other == kind) {
            *slot = weight;
        }
        self
    }
}

/// One operation that becomes due.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Arrival {
    /// When, counted from the start.
    pub(crate) after: Duration,
    /// What.
    pub(crate) kind: Kind,
    /// Decides everything else about it.
    pub(crate) draw: u64,
}

/// The arrivals of a plan, in order of time.
#[derive(Debug)]
pub(crate) struct Schedule {
    random: StdRng,
    at: Duration,
    plan: (f64, Arrivals, Duration, Mix),
}

impl Schedule {
    pub(crate) fn of(plan: &Plan) -> Self {
        Self {
            random: StdRng::seed_from_u64(plan.seed),
            at: Duration::ZERO,
            plan: (plan.rate, plan.arrivals, plan.duration, plan.mix),
        }
    }
}

impl Iterator for Schedule {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        let (rate, arrivals, duration, mix) = self.plan;
        let gap = match arrivals {
            Arrivals::Fixed => 1.0 / rate,
            // The gap between independent arrivals is exponential.
            Arrivals::Poisson => -(1.0 - self.random.random::<f64>()).ln() / rate,
        };
        self.at += Duration::try_from_secs_f64(gap).unwrap_or(duration);
        (self.at <= duration).then(|| Arrival {
            after: self.at,
            kind: mix.draw(&mut self.random),
            draw: self.random.random(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seed: u64, arrivals: Arrivals) -> Plan {
        Plan {
            url: Url::parse("http://127.0.0.1:4000/").unwrap(),
            rest_url: None,
            admin_url: None,
            rate: 100.0,
            arrivals,
            duration: Duration::from_secs(10),
            shoppers: 1,
            subscribers: 0,
            seed,
            mix: Mix::default(),
            hot: 1,
            in_flight_max: 1,
            patience: Duration::ZERO,
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_schedule_and_another_seed_another() {
        let schedule =
            |seed| Schedule::of(&plan(seed, Arrivals::Poisson)).collect::<Vec<Arrival>>();
        assert_eq!(schedule(1), schedule(1));
        assert_ne!(schedule(1), schedule(2));
    }

    #[test]
    fn both_kinds_of_arrivals_keep_the_rate_within_the_duration() {
        let fixed: Vec<_> = Schedule::of(&plan(1, Arrivals::Fixed)).collect();
        assert!((999..=1000).contains(&fixed.len()), "{}", fixed.len());
        let poisson: Vec<_> = Schedule::of(&plan(1, Arrivals::Poisson)).collect();
        // Three standard deviations of a Poisson count of 1,000.
        assert!((905..=1095).contains(&poisson.len()), "{}", poisson.len());
        assert!(poisson.is_sorted_by(|a, b| a.after <= b.after));
        assert!(poisson.last().unwrap().after <= Duration::from_secs(10));
    }

    #[test]
    fn a_mix_reads_back_what_it_shows_and_refuses_what_it_cannot_do() {
        let mix: Mix = "browse=1, pay=3".parse().unwrap();
        assert_eq!(mix.to_string(), "browse=1,pay=3");
        assert_eq!(mix.to_string().parse::<Mix>().unwrap(), mix);
        for (text, part) in [
            ("steal=1", "is no operation"),
            ("pay", "NAME=WEIGHT"),
            ("pay=-1", "NAME=WEIGHT"),
            ("pay=0", "every weight is 0"),
        ] {
            let said = text.parse::<Mix>().unwrap_err().to_string();
            assert!(said.contains(part), "{text}: {said}");
        }
    }

    #[test]
    fn a_mix_draws_by_its_weights() {
        let mix: Mix = "browse=3,pay=1".parse().unwrap();
        let mut random = StdRng::seed_from_u64(1);
        let pays = (0..4000)
            .filter(|_| mix.draw(&mut random) == Kind::Pay)
            .count();
        assert!((900..1100).contains(&pays), "{pays}");
    }
}
