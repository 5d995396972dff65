//! What is killed in a round, and in which order: all of it follows from the seed.

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
    /// How often each is drawn. A broker takes seconds to be back, so it is drawn seldom.
    const DRAWN: [(Self, u32); 7] = [
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

    /// Who dies at a crash point.
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

/// Whether the process that comes to the point waits there for another one's death.
pub(crate) const fn is_held(point: Point) -> bool {
    matches!(point, Point::RelayAfterSend | Point::CheckoutBetweenCommits)
}

/// One kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strike {
    /// When a process comes to this place.
    Point(Point),
    /// Now, wherever it is.
    Random(Target),
}

/// The kills of a round, each with the pause before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schedule(pub(crate) Vec<(Duration, Strike)>);

impl Schedule {
    /// Every crash point once, and as many kills at random times.
    pub(crate) fn of(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let mut strikes: Vec<Strike> = Point::ALL.into_iter().map(Strike::Point).collect();
        for _ in 0..Point::ALL.len() {
            let drawn = Target::DRAWN.choose_weighted(&mut random, |(_, weight)| *weight);
            let (target, _) = drawn.expect("every weight is above 0");
            strikes.push(Strike::Random(*target));
        }
        strikes.shuffle(&mut random);
        let pause = |strike| {
            let pause = Duration::from_millis(random.random_range(150..900));
            (pause, strike)
        };
        Self(strikes.into_iter().map(pause).collect())
    }
}

/// Counts of what was struck, by name.
pub(crate) type Counts = BTreeMap<String, u64>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_schedule_with_every_point_and_as_many_random_kills() {
        let schedule = Schedule::of(7);
        assert_eq!(schedule, Schedule::of(7));
        assert_ne!(schedule, Schedule::of(8));
        let points = schedule.0.iter().filter_map(|(_, strike)| match strike {
            Strike::Point(point) => Some(*point),
            Strike::Random(_) => None,
        });
        let mut points: Vec<_> = points.collect();
        points.sort_unstable();
        assert_eq!(points, Point::ALL);
        assert_eq!(schedule.0.len(), 2 * Point::ALL.len());
    }
}
