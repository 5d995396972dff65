//! Operations that were seen before: text and name give the document, document and conditions give the plan.
//!
//! Keys are compared whole, never by a hash alone. Both levels are bounded, and of many requests that miss the same
//! key one does the work. Refusals are not kept, so they cost the refused caller each time and nobody else's room.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use moka::future::Cache;
use tracing::Instrument as _;

use crate::host::Telemetry;
use crate::operation::document::Document;
use crate::request::RequestError;

/// The two levels.
pub(crate) struct Operations<P> {
    documents: Cache<TextKey, Arc<Document>>,
    plans: Cache<PlanKey, Arc<P>>,
    telemetry: Arc<dyn Telemetry>,
}

/// A text with the name of its operation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TextKey {
    /// The whole text.
    pub(crate) text: Arc<str>,
    /// Which of its operations.
    pub(crate) name: Option<Arc<str>>,
}

/// A document with the values of its conditions. Documents live as long as their keys, so one pointer is one document.
#[derive(Debug, Clone)]
struct PlanKey {
    document: Arc<Document>,
    conditions: Vec<Option<bool>>,
}

impl PartialEq for PlanKey {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.document, &other.document) && self.conditions == other.conditions
    }
}

impl Eq for PlanKey {}

impl Hash for PlanKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.document).hash(state);
        self.conditions.hash(state);
    }
}

impl<P: Send + Sync + 'static> Operations<P> {
    /// Empty caches of at most so many entries each.
    pub(crate) fn new(entries: u64, telemetry: Arc<dyn Telemetry>) -> Self {
        Self {
            documents: Cache::new(entries),
            plans: Cache::new(entries),
            telemetry,
        }
    }

    /// The document of a text, parsed by `work` if it is new. `work` is CPU work and runs off the reactor.
    ///
    /// # Errors
    /// Those of `work`.
    pub(crate) async fn document(
        &self,
        key: TextKey,
        work: impl FnOnce() -> Result<Document, RequestError> + Send + 'static,
    ) -> Result<Arc<Document>, RequestError> {
        if let Some(known) = self.documents.get(&key).await {
            return Ok(known);
        }
        let made = self.documents.try_get_with(key, off_the_reactor(work));
        made.await.map_err(|error| (*error).clone())
    }

    /// The plan of a document under the values of its conditions, made by `work` if it is new.
    ///
    /// # Errors
    /// Those of `work`.
    pub(crate) async fn plan(
        &self,
        document: Arc<Document>,
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
        let made = self
            .plans
            .try_get_with(key, off_the_reactor(timed(work, self.telemetry.clone())));
        let made = made.instrument(tracing::debug_span!("plan"));
        made.await.map_err(|error| (*error).clone())
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

async fn off_the_reactor<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RequestError> + Send + 'static,
) -> Result<Arc<T>, RequestError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(made) => made.map(Arc::new),
        Err(error) => {
            tracing::error!(%error, "preparing an operation did not end");
            Err(RequestError::internal())
        }
    }
}
