//! What a topic is made of, as far as the log and its readers need to know.
//!
//! An event is a version of an entity: versions of one entity only grow, and stand in one partition. Readers are woken, and
//! find their events, by keys. Everything else about an event is its reader's affair.

use std::{collections::HashMap, fmt, hash::Hash};

/// A message that is no event of its topic.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotAnEvent(pub String);

/// One event of a topic.
pub trait Event: fmt::Debug + Send + Sync + Sized + 'static {
    /// What a reader can ask for.
    type Scope: Selection<Event = Self>;
    /// Whose versions grow.
    type Entity: Eq + Hash + fmt::Debug + Send + Sync;
    /// What must be known of the topic to read its messages.
    type Reading: Clone + Default + fmt::Debug + Send + Sync + 'static;

    /// Reads a message. `header` finds a header's bytes by name.
    ///
    /// # Errors
    /// [`NotAnEvent`] says why readers pass it over.
    fn decode(
        reading: &Self::Reading,
        key: &[u8],
        value: &[u8],
        header: impl Fn(&str) -> Option<Vec<u8>>,
    ) -> Result<Self, NotAnEvent>;

    /// The entity that changed.
    fn entity(&self) -> Self::Entity;

    /// Its version since this event, above 0.
    fn version(&self) -> u32;

    /// Why the message cannot be read, where it stands in the log to tell so: its readers are given a gap. Such an event is in
    /// every scope that contains it, whatever keys that has, and is no version of anything.
    fn fault(&self) -> Option<&str> {
        None
    }

    /// Memory of the event in the log with its entries in the index, in bytes, by estimation.
    fn bytes(&self) -> usize;
}

/// The events that a reader gets. Whether its caller may have them is decided before.
pub trait Selection: Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static {
    /// Of which events.
    type Event;
    /// Something that an event can be found by.
    type Key: Eq + Hash + fmt::Debug + Send + Sync;

    /// Whether the event is in scope.
    fn contains(&self, event: &Self::Event) -> bool;

    /// Whether its events are few among all, so that many readers can share a look at each and none is waited for.
    fn is_narrow(&self) -> bool;

    /// Its events are those that have all of these, the rarest first.
    fn keys(&self) -> impl Iterator<Item = Self::Key>;

    /// All that the event can be found by.
    fn keys_of(event: &Self::Event) -> impl Iterator<Item = Self::Key>;

    /// All scopes that an event is in.
    fn of(event: &Self::Event) -> impl Iterator<Item = Self>;

    /// How many those are.
    fn count_of(event: &Self::Event) -> usize;
}

/// What is kept for each scope that somebody reads.
#[derive(Debug)]
pub(crate) struct ByScope<S, T>(HashMap<S, T>);

impl<S, T> Default for ByScope<S, T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<S: Selection, T> ByScope<S, T> {
    /// What is kept for a scope, new if nothing is.
    pub(crate) fn entry(&mut self, scope: &S) -> &mut T
    where
        T: Default,
    {
        self.0.entry(scope.clone()).or_default()
    }

    pub(crate) fn get_mut(&mut self, scope: &S) -> Option<&mut T> {
        self.0.get_mut(scope)
    }

    pub(crate) fn remove(&mut self, scope: &S) {
        self.0.remove(scope);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.0.values()
    }

    /// Visits what is kept for the scopes that the event is in: by the fewer of all that it is in and all that are read.
    pub(crate) fn visit(&self, event: &S::Event, mut visit: impl FnMut(&T)) {
        if self.0.len() < S::count_of(event) {
            let read = self.0.iter().filter(|(scope, _)| scope.contains(event));
            read.for_each(|(_, kept)| visit(kept));
        } else {
            let kept = S::of(event).filter_map(|scope| self.0.get(&scope));
            kept.for_each(visit);
        }
    }
}

#[cfg(test)]
impl<S: Selection, T> FromIterator<(S, T)> for ByScope<S, T> {
    fn from_iter<I: IntoIterator<Item = (S, T)>>(kept: I) -> Self {
        Self(kept.into_iter().collect())
    }
}
