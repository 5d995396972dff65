//! Operations that were seen before: text and name give the document, document and conditions give the plan.
//!
//! Texts are told apart by a digest that nobody can make equal for two of them. Both levels are bounded in bytes of heap, and of many requests that
//! miss the same key one does the work. Refusals are not kept, so they cost the refused caller each time and nobody
//! else's room.

use std::hash::Hash;
use std::sync::Arc;

use moka::future::Cache;
use sha2::{Digest, Sha256};
use tracing::Instrument as _;

use crate::host::Telemetry;
use crate::operation::document::Document;
use crate::operation::turns::{NewOperations, Turns};
use crate::request::RequestError;
use crate::weight::{Counted, Weight, shared};

/// The two levels.
pub(crate) struct Operations<P> {
    documents: Cache<TextKey, Arc<Document>>,
    plans: Cache<PlanKey, Arc<P>>,
    turns: Turns,
    telemetry: Arc<dyn Telemetry>,
}

/// A text with the name of its operation, by their digest. A cache may hold the keys of entries that it let go long ago,
/// so a key must be small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TextKey([u8; 32]);

impl TextKey {
    /// The key of a text and the name of one of its operations.
    pub(crate) fn new(text: &str, name: Option<&str>) -> Self {
        let mut digest = Sha256::new();
        digest.update(text.len().to_be_bytes());
        digest.update(text);
        if let Some(name) = name {
            digest.update([1]);
            digest.update(name);
        }
        Self(digest.finalize().into())
    }
}

/// A document with the values of its conditions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct PlanKey {
    document: TextKey,
    conditions: Vec<Option<bool>>,
}

/// What the caches themselves hold for an entry.
const ENTRY: usize = 400;

fn of_entry(bytes: usize) -> u32 {
    u32::try_from(bytes + ENTRY).unwrap_or(u32::MAX)
}

fn of_document(_key: &TextKey, document: &Arc<Document>) -> u32 {
    of_entry(shared(document, &mut Counted::new()))
}

/// A plan keeps its document alive after the document's own entry is gone, so it counts here as well.
fn of_plan<P: Weight>(key: &PlanKey, plan: &Arc<P>) -> u32 {
    of_entry(key.conditions.capacity() + shared(plan, &mut Counted::new()))
}

impl<P: Weight + Send + Sync + 'static> Operations<P> {
    /// Empty caches that together hold at most so many bytes, and that make what is new in turns.
    pub(crate) fn new(bytes: u64, new: NewOperations, telemetry: Arc<dyn Telemetry>) -> Self {
        let bounded = bytes / 2;
        Self {
            documents: Cache::builder()
                .max_capacity(bounded)
                .weigher(of_document)
                .build(),
            plans: Cache::builder()
                .max_capacity(bounded)
                .weigher(of_plan)
                .build(),
            turns: Turns::new(new),
            telemetry,
        }
    }

    /// Every plan that is kept, with what it was found by.
    pub(crate) fn plans(&self) -> Vec<(TextKey, Vec<Option<bool>>, Arc<P>)> {
        let plans = self.plans.iter();
        plans
            .map(|(key, plan)| (key.document, key.conditions.clone(), plan))
            .collect()
    }

    /// The document of a text, parsed by `work` if it is new. `work` is CPU work and runs off the reactor in its turn.
    ///
    /// # Errors
    /// Those of `work`, and [`Code::OVERLOADED`](crate::request::Code::OVERLOADED).
    pub(crate) async fn document(
        &self,
        key: TextKey,
        work: impl FnOnce() -> Result<Document, RequestError> + Send + 'static,
    ) -> Result<Arc<Document>, RequestError> {
        if let Some(known) = self.documents.get(&key).await {
            return Ok(known);
        }
        // Boxed, for what is known should not have to make room for the future of what is not.
        let made = Box::pin(self.documents.try_get_with(key, self.turns.run(work)));
        let made = made.await.map_err(|error| (*error).clone());
        // Otherwise what is over the bound stays until more entries came to be looked at together.
        self.documents.run_pending_tasks().await;
        made
    }

    /// The plan of a document under the values of its conditions, made by `work` if it is new.
    ///
    /// # Errors
    /// Those of `work`, and [`Code::OVERLOADED`](crate::request::Code::OVERLOADED).
    pub(crate) async fn plan(
        &self,
        document: TextKey,
        conditions: Vec<Option<bool>>,
        work: impl FnOnce() -> Result<P, RequestError> + Send + 'static,
    ) -> Result<Arc<P>, RequestError> {
        let key = PlanKey {
            document,
            conditions,
        };
        if let Some(known) = self.plans.get(&key).await {
            self.telemetry.plan_found();
            return Ok(known);
        }
        self.telemetry.plan_missed();
        let work = timed(work, self.telemetry.clone());
        let made = Box::pin(self.plans.try_get_with(key, self.turns.run(work)));
        let made = made.instrument(tracing::debug_span!("plan"));
        let made = made.await.map_err(|error| (*error).clone());
        self.plans.run_pending_tasks().await;
        made
    }
}

fn timed<T>(work: impl FnOnce() -> T, telemetry: Arc<dyn Telemetry>) -> impl FnOnce() -> T {
    move || {
        let started = std::time::Instant::now();
        let made = work();
        telemetry.planned(started.elapsed());
        made
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use futures::future::join_all;

    use super::*;

    struct Unobserved;
    impl Telemetry for Unobserved {}

    struct Plan;
    impl Weight for Plan {
        fn heap(&self, _counted: &mut Counted) -> usize {
            0
        }
    }

    /// While the only turn is taken: what is known is found, and who wants what is being made shares it and needs no place in
    /// the queue, which has one. Fails with a turn taken before the cache is looked at.
    #[tokio::test]
    async fn what_is_known_waits_for_no_turn_and_equal_ones_share_one() {
        let new = NewOperations {
            at_once_max: 1,
            waiting_max: 1,
            ..NewOperations::default()
        };
        let operations = Operations::new(1024 * 1024, new, Arc::new(Unobserved));
        let known = TextKey::new("known", None);
        let made = operations.plan(known, Vec::new(), || Ok(Plan)).await;
        assert!(made.is_ok());
        let (open, gate) = mpsc::channel::<()>();
        let gate = Arc::new(parking_lot::Mutex::new(gate));
        let runs = Arc::new(AtomicUsize::new(0));
        let wanted = (0..50).map(|_| {
            let (gate, runs) = (gate.clone(), runs.clone());
            operations.plan(TextKey::new("new", None), Vec::new(), move || {
                runs.fetch_add(1, Ordering::SeqCst);
                assert!(gate.lock().recv().is_err());
                Ok(Plan)
            })
        });
        let meanwhile = async {
            while runs.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
            for _ in 0..200 {
                let found = operations.plan(known, Vec::new(), || unreachable!("it is known"));
                assert!(found.await.is_ok());
            }
            drop(open);
        };
        let (made, ()) = futures::join!(join_all(wanted), meanwhile);
        assert!(made.iter().all(Result::is_ok));
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    }
}
