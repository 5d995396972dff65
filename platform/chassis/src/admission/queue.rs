//! Those who wait for a place, by class.
//!
//! Invariant: a class waits in a queue of its own, so a crowd of one class pushes nobody of another out. Pure: what a
//! waiter is, is the caller's.

use std::collections::VecDeque;

use super::priority::Priority;

const CLASSES: usize = Priority::ALL.len();

/// The queues, and whose turn it is.
#[derive(Debug)]
pub(super) struct Queue<W> {
    waiting: [VecDeque<W>; CLASSES],
    /// What each class is owed, by its share.
    credit: [i64; CLASSES],
}

impl<W> Default for Queue<W> {
    fn default() -> Self {
        Self {
            waiting: std::array::from_fn(|_| VecDeque::new()),
            credit: [0; CLASSES],
        }
    }
}

impl<W> Queue<W> {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.iter().all(VecDeque::is_empty)
    }

    /// Adds one behind which there are at most `max - 1`; gives those that had to go for it, the oldest first.
    pub(super) fn push(&mut self, class: Priority, waiter: W, max: usize) -> Option<W> {
        let queue = &mut self.waiting[class.index()];
        queue.push_back(waiter);
        if queue.len() > max {
            return queue.pop_front();
        }
        None
    }

    /// Takes the next of the classes that `may` have a place: those that pay first, then each class by its share. The
    /// newest of a class comes first, for the oldest are about to leave; streams keep their order, for they wait.
    pub(super) fn pop(&mut self, may: impl Fn(Priority) -> bool) -> Option<(Priority, W)> {
        let class = self.next_class(may)?;
        let queue = &mut self.waiting[class.index()];
        let waiter = if class == Priority::Resume {
            queue.pop_front()
        } else {
            queue.pop_back()
        };
        waiter.map(|waiter| (class, waiter))
    }

    /// Smooth weighted round robin over the classes that wait.
    fn next_class(&mut self, may: impl Fn(Priority) -> bool) -> Option<Priority> {
        let waits = |class: &Priority| !self.waiting[class.index()].is_empty() && may(*class);
        let waiting: Vec<Priority> = Priority::ALL.into_iter().filter(waits).collect();
        if waiting.first() == Some(&Priority::Payment) {
            return Some(Priority::Payment);
        }
        for class in &waiting {
            self.credit[class.index()] += class.share();
        }
        let owed = |class: &&Priority| (self.credit[class.index()], std::cmp::Reverse(**class));
        let next = *waiting.iter().max_by_key(owed)?;
        let shares: i64 = waiting.iter().map(|class| class.share()).sum();
        self.credit[next.index()] -= shares;
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_pays_comes_first_then_each_class_by_its_share_and_its_newest_first() {
        let mut queue = Queue::default();
        for number in 0..20 {
            for class in Priority::ALL {
                assert_eq!(queue.push(class, number, 20), None);
            }
        }
        let taken: Vec<_> = (0..40).filter_map(|_| queue.pop(|_| true)).collect();
        let newest: Vec<_> = (0..20).rev().map(|it| (Priority::Payment, it)).collect();
        assert_eq!(taken[..20], newest);
        let of = |class| taken[20..].iter().filter(|(it, _)| *it == class).count();
        let counts = Priority::ALL.map(of);
        assert_eq!(counts, [0, 8, 4, 6, 2]);
        let streams = taken.iter().filter(|(class, _)| *class == Priority::Resume);
        assert!(
            streams.map(|(_, number)| *number).eq(0..4),
            "in their order"
        );
    }

    #[test]
    fn the_oldest_of_a_full_class_goes_and_nobody_of_another() {
        let mut queue = Queue::default();
        assert_eq!(queue.push(Priority::Payment, 0, 2), None);
        for number in 1..3 {
            assert_eq!(queue.push(Priority::Read, number, 2), None);
        }
        assert_eq!(queue.push(Priority::Read, 3, 2), Some(1));
        assert_eq!(queue.pop(|_| true), Some((Priority::Payment, 0)));
    }

    #[test]
    fn a_class_that_holds_all_it_may_is_passed_over() {
        let mut queue = Queue::default();
        assert_eq!(queue.push(Priority::Resume, 1, 9), None);
        assert_eq!(queue.push(Priority::Anonymous, 2, 9), None);
        let next = queue.pop(|class| class != Priority::Resume);
        assert_eq!(next, Some((Priority::Anonymous, 2)));
        assert_eq!(queue.pop(|class| class != Priority::Resume), None);
        assert!(!queue.is_empty());
    }
}
