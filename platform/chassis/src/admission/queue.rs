//! Those who wait for a place, by class.
//!
//! Invariant: a class waits in a queue of its own, so a crowd of one class pushes nobody of another out. Pure: what a
//! waiter is, is the caller's.

use std::collections::VecDeque;

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

    /// Takes the next of the classes that `may` have a place, where one of a class is `cost` of work. The newest of a class
    /// comes first, for the oldest are about to leave; streams keep their order, for they wait.
    pub(super) fn pop(
        &mut self,
        may: impl Fn(Priority) -> bool,
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
        let next = if class == Priority::Resume {
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

    /// Seen red with the oldest first.
    #[test]
    fn each_class_has_its_share_and_its_newest_comes_first() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        for number in 0..40 {
            for class in Priority::ALL {
                assert_eq!(queue.push(class, number, now, 40), None);
            }
        }
        let taken: Vec<_> = (0..34).filter_map(|_| queue.pop(all, alike)).collect();
        let of = |class| taken.iter().filter(move |(it, _)| *it == class);
        let counts = Priority::ALL.map(|class| of(class).count());
        assert_eq!(counts, [16, 8, 3, 5, 2]);
        let paid = of(Priority::Payment).map(|(_, number)| *number);
        assert!(paid.eq((24..40).rev()), "the newest first");
        let streams = of(Priority::Resume).map(|(_, number)| *number);
        assert!(streams.eq(0..3), "in their order");
    }

    #[test]
    fn a_share_is_of_the_work_and_what_nobody_wants_is_the_others() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        for number in 0..200 {
            assert_eq!(queue.push(Priority::Mutation, number, now, 200), None);
            assert_eq!(queue.push(Priority::Read, number, now, 200), None);
        }
        let cost = |class| if class == Priority::Read { 1.0 } else { 10.0 };
        let taken: Vec<_> = (0..121).filter_map(|_| queue.pop(all, cost)).collect();
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
            assert!(queue.pop(all, alike).is_some());
        }
        for number in 0..100 {
            assert_eq!(queue.push(Priority::Mutation, number, now, 100), None);
        }
        let taken: Vec<_> = (0..13).filter_map(|_| queue.pop(all, alike)).collect();
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
        assert_eq!(queue.pop(all, alike), Some((Priority::Payment, 0)));
    }

    #[test]
    fn a_class_that_holds_all_it_may_is_passed_over() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        assert_eq!(queue.push(Priority::Resume, 1, now, 9), None);
        assert_eq!(queue.push(Priority::Anonymous, 2, now, 9), None);
        let next = queue.pop(|class| class != Priority::Resume, alike);
        assert_eq!(next, Some((Priority::Anonymous, 2)));
        assert_eq!(queue.pop(|class| class != Priority::Resume, alike), None);
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
        let taken: Vec<_> = (0..4).filter_map(|_| queue.pop(all, alike)).collect();
        let left = [
            (Priority::Payment, 2),
            (Priority::Read, 2),
            (Priority::Payment, 1),
        ];
        assert_eq!(taken, left);
    }
}
