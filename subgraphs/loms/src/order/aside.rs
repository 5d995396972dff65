//! Commands that want what another transaction has locked: they wait aside, so that a locked row delays only those who
//! want it.
//!
//! The other transaction is another process's, or an operator's. While somebody waits here for a row, later commands that
//! want it come here too. One task tries what waits again and again, in groups: those whose rows are free, and if there are
//! none, those that want what the first of them wants, who then stand in the server's queue for it for `lock_timeout`.
//!
//! Invariants: the places are bounded, and each command waits until its own deadline at most; the rows that are awaited are
//! known here from when the first comes until the last has left.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

use super::{
    error::Error,
    group::{self, MAX_GROUP, Unfinished, Waiting},
    model::Row,
    transaction::Transactions,
};
use crate::metrics;

/// The most commands that wait aside; one more is refused.
const PLACES: usize = 1_024;
/// Between two tries of which the first got no command through.
const PAUSE: Duration = Duration::from_millis(50);

/// The place where they wait. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Aside {
    transactions: Transactions,
    state: Arc<Mutex<State>>,
    change: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Waiting>,
    /// What those await who are tried at the moment, and how many they are.
    tried: BTreeSet<Row>,
    trying: usize,
    closed: bool,
}

impl Aside {
    /// Nobody waits.
    pub(super) fn new(transactions: Transactions) -> Self {
        Self {
            transactions,
            state: Arc::default(),
            change: Arc::default(),
        }
    }

    /// Takes those of a group that want what others wait for here already; gives back the rest.
    pub(super) async fn divert(&self, group: Vec<Waiting>) -> Vec<Waiting> {
        let awaited = self.awaited();
        if awaited.is_empty() {
            return group;
        }
        let Ok(wants) = self.transactions.wants(&group::commands(&group)).await else {
            // The group's own transaction meets the same fault, and says so.
            return group;
        };
        self.part(group, wants, &awaited)
    }

    /// Takes those of a group that want a row that is locked at the moment; gives back the rest.
    pub(super) async fn take_held(&self, group: Vec<Waiting>) -> Vec<Waiting> {
        match self.held(&group).await {
            Ok((wants, held)) => self.part(group, wants, &held),
            Err(error) => {
                let error = Arc::new(error);
                for waiting in group {
                    waiting.respond(Err(Error::Group(Arc::clone(&error))));
                }
                Vec::new()
            }
        }
    }

    /// Takes commands whose keys another transaction has.
    pub(super) fn take_key_held(&self, group: Vec<Waiting>) {
        for mut waiting in group {
            waiting.awaits = waiting.command.key_row().into_iter().collect();
            self.admit(waiting);
        }
    }

    /// Nobody comes any more: the task ends with the last who waits.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.change.notify_one();
    }

    /// Tries what waits until nobody does and nobody comes any more.
    pub(super) async fn run(self) {
        while let Some(batch) = self.next().await {
            let before = batch.len();
            let left = self.attempt(batch).await;
            let has_stalled = left.len() == before;
            self.put_back(left);
            if has_stalled {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    async fn next(&self) -> Option<Vec<Waiting>> {
        loop {
            let change = self.change.notified();
            {
                let mut state = self.lock();
                if !state.waiting.is_empty() {
                    let batch = std::mem::take(&mut state.waiting);
                    state.tried = awaited_by(&batch);
                    state.trying = batch.len();
                    return Some(batch);
                }
                if state.closed {
                    return None;
                }
            }
            change.await;
        }
    }

    /// Runs what can run; gives back what still waits.
    async fn attempt(&self, batch: Vec<Waiting>) -> Vec<Waiting> {
        let batch = group::still_wanted(batch);
        let Ok((wants, held)) = self.held(&batch).await else {
            return batch;
        };
        let mut free = Vec::new();
        let mut left = Vec::new();
        for (mut waiting, wants) in batch.into_iter().zip(wants) {
            let locked: BTreeSet<Row> = wants.intersection(&held).cloned().collect();
            if locked.is_empty() && free.len() < MAX_GROUP {
                free.push(waiting);
            } else {
                waiting.awaits.extend(locked);
                left.push(waiting);
            }
        }
        if free.is_empty() {
            (free, left) = companions_of_first(left);
        }
        let Unfinished {
            again,
            key_held,
            row_held,
        } = group::run(&self.transactions, free).await;
        // Those that were tried stand behind those that were not.
        left.extend(again.into_iter().chain(key_held).chain(row_held));
        left
    }

    /// What each of a group wants, and which of these rows others have locked.
    async fn held(&self, group: &[Waiting]) -> Result<(Vec<BTreeSet<Row>>, BTreeSet<Row>), Error> {
        let wants = self.transactions.wants(&group::commands(group)).await?;
        let rows = wants.iter().flatten().cloned().collect();
        let held = self.transactions.held(&rows).await?;
        Ok((wants, held))
    }

    /// Takes those who want some of `rows`; gives back the rest.
    fn part(
        &self,
        group: Vec<Waiting>,
        wants: Vec<BTreeSet<Row>>,
        rows: &BTreeSet<Row>,
    ) -> Vec<Waiting> {
        let mut rest = Vec::with_capacity(group.len());
        for (mut waiting, wants) in group.into_iter().zip(wants) {
            waiting.awaits = wants.intersection(rows).cloned().collect();
            if waiting.awaits.is_empty() {
                rest.push(waiting);
            } else {
                self.admit(waiting);
            }
        }
        rest
    }

    fn admit(&self, waiting: Waiting) {
        let mut state = self.lock();
        if state.waiting.len() + state.trying >= PLACES {
            drop(state);
            waiting.respond(Err(Error::Locked));
            return;
        }
        state.waiting.push(waiting);
        metrics::set_aside(state.waiting.len() + state.trying);
        drop(state);
        self.change.notify_one();
    }

    fn put_back(&self, mut left: Vec<Waiting>) {
        let mut state = self.lock();
        left.append(&mut state.waiting);
        state.waiting = left;
        state.tried.clear();
        state.trying = 0;
        metrics::set_aside(state.waiting.len());
    }

    /// What they wait for.
    fn awaited(&self) -> BTreeSet<Row> {
        let state = self.lock();
        let mut awaited = awaited_by(&state.waiting);
        awaited.extend(state.tried.iter().cloned());
        awaited
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn awaited_by(group: &[Waiting]) -> BTreeSet<Row> {
    group.iter().flat_map(|it| &it.awaits).cloned().collect()
}

/// The first and those that await some of what it awaits, and the others.
fn companions_of_first(group: Vec<Waiting>) -> (Vec<Waiting>, Vec<Waiting>) {
    let Some(first) = group.first() else {
        return (group, Vec::new());
    };
    let awaited = first.awaits.clone();
    let (mut companions, mut others): (Vec<_>, Vec<_>) = group
        .into_iter()
        .partition(|it| !it.awaits.is_disjoint(&awaited));
    let later = companions.split_off(companions.len().min(MAX_GROUP));
    others.extend(later);
    (companions, others)
}
