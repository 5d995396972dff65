//! Which faults a round injects, and in which order. Everything follows from the seed.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{Rng as _, SeedableRng as _};

use crate::point::Point;

/// A process that can be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Target {
    Router,
    Cart,
    Loms,
    Comments,
    Notifier,
    Postgres,
    Kafka,
}

impl Target {
    /// The weight with which each is drawn. A broker takes seconds to return, so it is drawn seldom.
    const WEIGHTS: [(Self, u32); 7] = [
        (Self::Loms, 5),
        (Self::Router, 4),
        (Self::Cart, 4),
        (Self::Notifier, 4),
        (Self::Comments, 1),
        (Self::Postgres, 1),
        (Self::Kafka, 1),
    ];

    /// The name of its process.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Router => "router",
            Self::Cart => "cart",
            Self::Loms => "loms",
            Self::Comments => "comments",
            Self::Notifier => "notifier",
            Self::Postgres => "postgres",
            Self::Kafka => "kafka",
        }
    }

    /// The process that dies at a crash point.
    pub(crate) const fn of(point: Point) -> Self {
        match point {
            Point::CheckoutAfterFreeze | Point::CheckoutAfterOrder => Self::Cart,
            Point::OrdersAfterCreateLock
            | Point::OrdersAfterWrite
            | Point::OrdersAfterCommit
            | Point::RelayAfterRead
            | Point::RelayAfterAcknowledgement
            | Point::OrdersAfterPayLock
            | Point::OrdersAfterCancelLock
            | Point::OrdersAfterExpiryLock => Self::Loms,
            Point::RelayAfterSend => Self::Kafka,
            Point::NotifierAfterWrite | Point::NotifierAfterCommit => Self::Notifier,
            Point::StreamAfterRead | Point::StreamAfterHalfAFrame => Self::Router,
            Point::CheckoutBetweenCommits => Self::Postgres,
        }
    }
}

/// Whether the process that reaches the point waits there until another one is killed.
pub(crate) const fn is_held(point: Point) -> bool {
    matches!(point, Point::RelayAfterSend | Point::CheckoutBetweenCommits)
}

/// A kill to inject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// When a process reaches this point.
    Point(Point),
    /// At once, whatever the process is doing.
    Random(Target),
}

/// The faults of a round, each with the pause before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schedule(pub(crate) Vec<(Duration, Fault)>);

impl Schedule {
    /// Every crash point once, and as many kills at random times.
    pub(crate) fn of(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let mut faults: Vec<Fault> = Point::ALL.into_iter().map(Fault::Point).collect();
        for _ in 0..Point::ALL.len() {
            let drawn = Target::WEIGHTS.choose_weighted(&mut random, |(_, weight)| *weight);
            let (target, _) = drawn.expect("every weight is above 0");
            faults.push(Fault::Random(*target));
        }
        faults.shuffle(&mut random);
        let pause = |fault| {
            let pause = Duration::from_millis(random.random_range(150..900));
            (pause, fault)
        };
        Self(faults.into_iter().map(pause).collect())
    }
}

/// Counts by name.
pub(crate) type Counts = BTreeMap<String, u64>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_schedule_with_every_point_and_as_many_random_kills() {
        let schedule = Schedule::of(7);
        assert_eq!(schedule, Schedule::of(7));
        assert_ne!(schedule, Schedule::of(8));
        let points = schedule.0.iter().filter_map(|(_, fault)| match fault {
            Fault::Point(point) => Some(*point),
            Fault::Random(_) => None,
        });
        let mut points: Vec<_> = points.collect();
        points.sort_unstable();
        assert_eq!(points, Point::ALL);
        assert_eq!(schedule.0.len(), 2 * Point::ALL.len());
    }
}
