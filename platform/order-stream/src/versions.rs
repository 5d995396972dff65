//! Which version of each entity, such as an order, was seen last: the relay sends at least once, readers see each version once.
//!
//! The relay's first copies of one order's events stand in version order, so a version at or below the last
//! one is a repeat. Memory is bounded by two generations: an order is forgotten only after at least one
//! generation's worth of other orders, far beyond the distance at which the relay can repeat itself (a batch).

use std::{collections::HashMap, hash::Hash};

use uuid::Uuid;

use crate::event::Event;

/// Entities a generation holds before the older one is dropped.
const GENERATION: usize = 65_536;

/// An entity in one incarnation of the stream: a reset database numbers its orders from 1 again.
type Key<T> = (Uuid, T);

/// The last version seen of recent entities.
#[derive(Debug)]
pub(crate) struct Versions<T> {
    young: HashMap<Key<T>, u32>,
    old: HashMap<Key<T>, u32>,
}

impl<T> Default for Versions<T> {
    fn default() -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }
}

impl<T: Eq + Hash> Versions<T> {
    /// Whether readers get the event: it is no repeat, or tells of a message that cannot be read. Notes its version.
    pub(crate) fn admits<E: Event<Entity = T>>(&mut self, epoch: Uuid, event: &E) -> bool {
        event.fault().is_some() || self.is_first(epoch, event.entity(), event.version())
    }

    /// Notes the version; false when it is a repeat.
    pub(crate) fn is_first(&mut self, epoch: Uuid, entity: T, version: u32) -> bool {
        let key = (epoch, entity);
        let seen = self
            .young
            .get(&key)
            .or_else(|| self.old.get(&key))
            .copied()
            .unwrap_or(0);
        if self.young.len() >= GENERATION && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, seen.max(version));
        version > seen
    }
}

#[cfg(test)]
mod tests {
    use schema::id::OrderId;

    use super::*;

    fn order(id: i64) -> OrderId {
        OrderId::try_from(id).unwrap()
    }

    #[test]
    fn a_version_counts_once_and_never_backwards() {
        let mut versions = Versions::default();
        let seen = [1, 2, 1, 2, 3, 3].map(|v| versions.is_first(Uuid::nil(), order(7), v));
        assert_eq!(seen, [true, true, false, false, true, false]);
    }

    #[test]
    fn another_epoch_counts_anew() {
        let mut versions = Versions::default();
        assert!(versions.is_first(Uuid::nil(), order(7), 1));
        assert!(versions.is_first(Uuid::max(), order(7), 1));
    }

    #[test]
    fn an_order_outlives_a_generation_of_others() {
        let mut versions = Versions::default();
        versions.is_first(Uuid::nil(), order(1), 5);
        for id in 2..=i64::try_from(GENERATION).unwrap() {
            versions.is_first(Uuid::nil(), order(id), 1);
        }
        assert!(!versions.is_first(Uuid::nil(), order(1), 5));
    }
}
