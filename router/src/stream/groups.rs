//! Streams whose frames are alike: the same operation, the same variables where its fetches get some, the same rights. What one
//! of them has completed is the others' frame too.

use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use chassis::principal::Principal;
use federation::{Completion, Prepared};
use parking_lot::Mutex;

use super::{described::Streams, metrics, rights::Rights};

/// The groups that have a stream.
#[derive(Debug, Default)]
pub(super) struct Groups(Arc<Registry>);

#[derive(Debug, Default)]
struct Registry {
    open: Mutex<HashMap<Alike, Weak<Group>>>,
    next: AtomicU64,
}

/// What the streams of a group have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Alike {
    completion: Completion,
    rights: Rights,
}

/// A group of streams; it lives as long as one of them.
#[derive(Debug)]
pub(super) struct Group {
    /// Never given twice.
    id: u64,
    /// `None` for a stream that is like no other.
    alike: Option<Alike>,
    rights: Rights,
    registry: Arc<Registry>,
}

impl Groups {
    /// The group of a stream of this caller, new if there is none.
    pub(super) fn join(&self, prepared: &Prepared, principal: Option<&Principal>) -> Arc<Group> {
        let streams = Streams::of(prepared);
        let rights = Rights::of(&prepared.event_needs(), &streams, principal);
        let alike = rights.are_shared().then(|| Alike {
            completion: prepared.completion(),
            rights: rights.clone(),
        });
        let Some(alike) = alike else {
            return self.make(rights, None);
        };
        let mut open = self.0.open.lock();
        if let Some(group) = open.get(&alike).and_then(Weak::upgrade) {
            return group;
        }
        let group = self.make(rights, Some(alike.clone()));
        open.insert(alike, Arc::downgrade(&group));
        group
    }

    fn make(&self, rights: Rights, alike: Option<Alike>) -> Arc<Group> {
        metrics::GROUPS.inc();
        Arc::new(Group {
            id: self.0.next.fetch_add(1, Ordering::Relaxed),
            alike,
            rights,
            registry: Arc::clone(&self.0),
        })
    }
}

impl Group {
    /// What tells this group from all others, the past ones too.
    pub(super) const fn id(&self) -> u64 {
        self.id
    }

    /// Whether another stream may want the same frames.
    pub(super) fn has_several(self: &Arc<Self>) -> bool {
        self.rights.are_shared() && Arc::strong_count(self) > 1
    }

    /// With whose rights its entities are read.
    pub(super) const fn rights(&self) -> &Rights {
        &self.rights
    }

    /// Whose rights these are, as fetches know them: equal for groups that every subgraph answers alike.
    pub(super) fn reader(&self) -> Arc<str> {
        match &self.rights {
            Rights::Order => "order".into(),
            Rights::Operator => "operator".into(),
            caller @ Rights::Caller { .. } => format!("{caller:?}").into(),
            Rights::Request => format!("request {}", self.id).into(),
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        metrics::GROUPS.dec();
        let Some(alike) = &self.alike else {
            return;
        };
        let mut open = self.registry.open.lock();
        // Another group may stand there by now.
        if open.get(alike).is_some_and(|it| it.strong_count() == 0) {
            open.remove(alike);
        }
    }
}
