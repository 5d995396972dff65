//! Those who wait for a place, by class.
//!
//! Invariant: a class waits in a queue of its own, so a crowd of one class pushes nobody of another out. Pure: what a
//! waiter is, is the caller's.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::priority::Priority;

const CLASSES: usize = Priority::ALL.len();

/// The queues, and whose turn it is.
///
/// Start-time fair queueing (Goyal, Vin, Cheng 1996): each class has a clock that its work moves on, slower the larger its
/// share; the class whose clock is the most behind is next, and one that had nothing to do begins at the present.
#[derive(Debug)]
pub(super) struct Queue<W> {
    waiting: [VecDeque<(Instant, W)>; CLASSES],
    clocks: [f64; CLASSES],
    present: f64,
}

impl<W> Default for Queue<W> {
    fn default() -> Self {
        Self {
            waiting: std::array::from_fn(|_| VecDeque::new()),
            clocks: [0.0; CLASSES],
            present: 0.0,
        }
    }
}

impl<W> Queue<W> {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.iter().all(VecDeque::is_empty)
    }

    /// Adds one that came at `now`, behind which there are at most `max - 1`; gives the oldest when it had to go for it.
    pub(super) fn push(
        &mut self,
        class: Priority,
        waiter: W,
        now: Instant,
        max: usize,
    ) -> Option<W> {
        let queue = &mut self.waiting[class.index()];
        if queue.is_empty() {
            let clock = &mut self.clocks[class.index()];
            *clock = clock.max(self.present);
        }
        queue.push_back((now, waiter));
        if queue.len() > max {
            return queue.pop_front().map(|(_, oldest)| oldest);
        }
        None
    }

    /// Takes the next of the classes that `may` have a place, where one of a class is `cost` of work. The oldest of a class
    /// comes first, so that none waits much longer than the others, until it has waited for the class's `turn`: then more
    /// comes than can be served, the oldest is about to leave, and the newest comes first.
    pub(super) fn pop(
        &mut self,
        now: Instant,
        may: impl Fn(Priority) -> bool,
        turn: impl Fn(Priority) -> Duration,
        cost: impl Fn(Priority) -> f64,
    ) -> Option<(Priority, W)> {
        let waits = |class: &Priority| !self.waiting[class.index()].is_empty() && may(*class);
        let behind = |one: &Priority, other: &Priority| {
            self.clocks[one.index()].total_cmp(&self.clocks[other.index()])
        };
        let class = Priority::ALL.into_iter().filter(waits).min_by(behind)?;
        let clock = &mut self.clocks[class.index()];
        self.present = *clock;
        *clock += cost(class) / class.share();
        let queue = &mut self.waiting[class.index()];
        let waited = |(came, _): &(Instant, W)| now.saturating_duration_since(*came);
        let next = if queue.front().map(waited) < Some(turn(class)) {
            queue.pop_front()
        } else {
            queue.pop_back()
        };
        next.map(|(_, waiter)| (class, waiter))
    }

    /// Drops those of each class that came at its `limit` or before.
    pub(super) fn drop_older(&mut self, limit: impl Fn(Priority) -> Option<Instant>) {
        for (class, queue) in Priority::ALL.into_iter().zip(&mut self.waiting) {
            let Some(limit) = limit(class) else { continue };
            while queue.front().is_some_and(|(came, _)| *came <= limit) {
                queue.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const fn alike(_: Priority) -> f64 {
        1.0
    }

    const fn all(_: Priority) -> bool {
        true
    }

    const fn never(_: Priority) -> Duration {
        Duration::ZERO
    }

    fn next(queue: &mut Queue<usize>, cost: fn(Priority) -> f64) -> Option<(Priority, usize)> {
        queue.pop(Instant::now(), all, never, cost)
    }

    /// Seen red with the newest first.
    #[test]
    fn the_oldest_comes_first_until_it_has_waited_for_its_turn() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        let turn = |_| Duration::from_millis(50);
        for number in 0..4 {
            let came = now + Duration::from_millis(number * 10);
            assert_eq!(queue.push(Priority::Read, number, came, 9), None);
        }
        let mut taken = |millis| {
            let at = now + Duration::from_millis(millis);
            queue.pop(at, all, turn, alike).map(|(_, number)| number)
        };
        assert_eq!(taken(49), Some(0), "a short queue keeps its order");
        assert_eq!(taken(60), Some(3), "the oldest has waited for 50 ms");
        assert_eq!([taken(61), taken(62)], [Some(2), Some(1)]);
    }

    #[test]
    fn each_class_has_its_share() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        for number in 0..40 {
            for class in Priority::ALL {
                assert_eq!(queue.push(class, number, now, 40), None);
            }
        }
        let taken: Vec<_> = (0..34).filter_map(|_| next(&mut queue, alike)).collect();
        let of = |class| taken.iter().filter(move |(it, _)| *it == class);
        let counts = Priority::ALL.map(|class| of(class).count());
        assert_eq!(counts, [16, 8, 3, 5, 2]);
    }

    #[test]
    fn a_share_is_of_the_work_and_what_nobody_wants_is_the_others() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        for number in 0..200 {
            assert_eq!(queue.push(Priority::Mutation, number, now, 200), None);
            assert_eq!(queue.push(Priority::Read, number, now, 200), None);
        }
        let cost = |class| if class == Priority::Read { 1.0 } else { 10.0 };
        let taken: Vec<_> = (0..121).filter_map(|_| next(&mut queue, cost)).collect();
        let reads = taken.iter().filter(|(it, _)| *it == Priority::Read).count();
        assert!((100..109).contains(&reads), "5 of 13 parts: {reads}");
    }

    /// Seen red when a class keeps the turns it had no use for.
    #[test]
    fn a_class_that_comes_late_is_owed_nothing() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        for number in 0..100 {
            assert_eq!(queue.push(Priority::Read, number, now, 100), None);
        }
        for _ in 0..50 {
            assert!(next(&mut queue, alike).is_some());
        }
        for number in 0..100 {
            assert_eq!(queue.push(Priority::Mutation, number, now, 100), None);
        }
        let taken: Vec<_> = (0..13).filter_map(|_| next(&mut queue, alike)).collect();
        let reads = taken.iter().filter(|(it, _)| *it == Priority::Read).count();
        assert!((4..=6).contains(&reads), "as if it had just begun: {reads}");
    }

    #[test]
    fn the_oldest_of_a_full_class_goes_and_nobody_of_another() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        assert_eq!(queue.push(Priority::Payment, 0, now, 2), None);
        for number in 1..3 {
            assert_eq!(queue.push(Priority::Read, number, now, 2), None);
        }
        assert_eq!(queue.push(Priority::Read, 3, now, 2), Some(1));
        assert_eq!(next(&mut queue, alike), Some((Priority::Payment, 0)));
    }

    #[test]
    fn a_class_that_holds_all_it_may_is_passed_over() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        assert_eq!(queue.push(Priority::Resume, 1, now, 9), None);
        assert_eq!(queue.push(Priority::Anonymous, 2, now, 9), None);
        let mut other = || queue.pop(now, |class| class != Priority::Resume, never, alike);
        assert_eq!(other(), Some((Priority::Anonymous, 2)));
        assert_eq!(other(), None);
        assert!(!queue.is_empty());
    }

    #[test]
    fn who_came_too_long_ago_is_dropped() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        let later = now + Duration::from_secs(1);
        for class in [Priority::Read, Priority::Payment] {
            assert_eq!(queue.push(class, 1, now, 9), None);
            assert_eq!(queue.push(class, 2, later, 9), None);
        }
        queue.drop_older(|class| (class == Priority::Read).then_some(now));
        let taken: Vec<_> = (0..4).filter_map(|_| next(&mut queue, alike)).collect();
        let left = [
            (Priority::Payment, 2),
            (Priority::Read, 2),
            (Priority::Payment, 1),
        ];
        assert_eq!(taken, left);
    }
}
