//! Fetches that may wait, such as those for the events of subscriptions: they have a few calls at each subgraph to themselves,
//! so that nobody who watches takes a place from somebody who buys, and wait for their turn instead of being refused. What waits
//! and asks the same of different entities, with the same rights, goes in one call.
//!
//! Invariants: never more than so many calls at one subgraph; those who ask different things take turns; a fetch waits for at
//! most one call of its own kind that is not slow.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::{Instrument as _, Span};

use crate::host::Telemetry;
use crate::request::RequestContext;
use crate::subgraph::error::FetchError;
use crate::subgraph::fetch::{FetchRequest, Subgraph};
use crate::subgraph::gather::{Asked, Gathered};

/// A call that takes longer does not hold up the next of its kind.
const SLOW: Duration = Duration::from_millis(50);

/// The way that the fetches of a request take. The engine looks for it in [`RequestContext::data`]; without it they take none
/// that is shared, and never wait.
#[derive(Debug, Clone)]
pub struct Lane {
    /// Shared by all that may wait.
    pub lanes: Arc<Lanes>,
    /// Whose rights it is read with: equal for two requests that every subgraph would answer alike.
    pub reader: Arc<str>,
}

/// The lanes to all subgraphs.
pub struct Lanes {
    calls_max: usize,
    entities_max: usize,
    queues: Mutex<HashMap<Arc<str>, Queue>>,
}

/// What waits for one subgraph.
#[derive(Default)]
struct Queue {
    /// Calls on their way.
    running: usize,
    kinds: HashMap<Kind, Waiting>,
    /// The kinds of which something waits, in the order of their turns.
    turns: VecDeque<Kind>,
}

/// Fetches of one kind can be gathered into one call.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Kind {
    /// The connection: it may be another after a reload.
    connection: usize,
    text: Arc<str>,
    reader: Arc<str>,
    others: Arc<str>,
}

/// What waits of one kind.
#[derive(Default)]
struct Waiting {
    fetches: VecDeque<Fetch>,
    /// The entities that they ask for.
    entities: usize,
    /// Calls on their way that are not slow.
    calls: usize,
}

struct Fetch {
    request: FetchRequest,
    asked: Asked,
    ctx: RequestContext,
    subgraph: Arc<dyn Subgraph>,
    telemetry: Arc<dyn Telemetry>,
    span: Span,
    reply: oneshot::Sender<Result<Bytes, FetchError>>,
}

impl fmt::Debug for Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lanes")
            .field("calls_max", &self.calls_max)
            .field("entities_max", &self.entities_max)
            .finish_non_exhaustive()
    }
}

impl Lanes {
    /// Lanes of so many calls at a time to each subgraph, each for at most so many entities of several fetches; 0 counts as 1.
    #[must_use]
    pub fn new(calls_max: usize, entities_max: usize) -> Arc<Self> {
        Arc::new(Self {
            calls_max: calls_max.max(1),
            entities_max: entities_max.max(1),
            queues: Mutex::default(),
        })
    }

    fn push(&self, name: &Arc<str>, kind: Kind, fetch: Fetch) {
        let mut queues = self.queues.lock();
        queues.entry(name.clone()).or_default().push(kind, fetch);
    }

    /// Starts as many calls as there are places for.
    fn start(self: &Arc<Self>, name: &Arc<str>) {
        // At the end of the process there may be none to run it.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        while let Some((kind, fetches)) = self.next(name) {
            let call = Call {
                lanes: Arc::clone(self),
                name: name.clone(),
                kind,
                is_slow: false,
            };
            let span = fetches.first().map(|fetch| fetch.span.clone());
            let running = call.run(fetches);
            runtime.spawn(running.instrument(span.unwrap_or_else(Span::none)));
        }
    }

    fn next(&self, name: &Arc<str>) -> Option<(Kind, Vec<Fetch>)> {
        let mut queues = self.queues.lock();
        let queue = queues.get_mut(name)?;
        if queue.running >= self.calls_max {
            return None;
        }
        let next = queue.next(self.entities_max);
        queue.running += usize::from(next.is_some());
        next
    }
}

impl Queue {
    fn push(&mut self, kind: Kind, fetch: Fetch) {
        let waiting = self.kinds.entry(kind.clone()).or_default();
        if waiting.fetches.is_empty() {
            self.turns.push_back(kind);
        }
        waiting.entities += fetch.asked.size();
        waiting.fetches.push_back(fetch);
    }

    /// The fetches of the next call.
    fn next(&mut self, entities_max: usize) -> Option<(Kind, Vec<Fetch>)> {
        // What waits behind a call of its kind is gathered meanwhile, unless it fills a call by itself.
        let may_start = |kind: &Kind| {
            let waiting = self.kinds.get(kind);
            waiting.is_some_and(|it| it.calls == 0 || it.entities >= entities_max)
        };
        let position = self.turns.iter().position(may_start)?;
        let kind = self.turns.remove(position)?;
        let waiting = self.kinds.get_mut(&kind)?;
        waiting.calls += 1;
        let fetches = waiting.take(entities_max);
        if !waiting.fetches.is_empty() {
            self.turns.push_back(kind.clone());
        }
        Some((kind, fetches))
    }

    /// A call of this kind does not hold up others any more.
    fn overtake(&mut self, kind: &Kind) {
        if let Some(waiting) = self.kinds.get_mut(kind) {
            waiting.calls = waiting.calls.saturating_sub(1);
            if waiting.calls == 0 && waiting.fetches.is_empty() {
                self.kinds.remove(kind);
            }
        }
    }
}

impl Waiting {
    fn take(&mut self, entities_max: usize) -> Vec<Fetch> {
        let mut taken = Vec::new();
        let mut entities = 0;
        while let Some(next) = self.fetches.front() {
            let size = next.asked.size();
            if !taken.is_empty() && entities + size > entities_max {
                break;
            }
            self.entities -= size;
            let fetch = self.fetches.pop_front();
            // Nobody waits for it any more.
            let fetch = fetch.filter(|fetch| !fetch.reply.is_closed());
            entities += fetch.as_ref().map_or(0, |_| size);
            taken.extend(fetch);
        }
        taken
    }
}

/// One call on its way, which gives its place back when it ends, however it ends.
struct Call {
    lanes: Arc<Lanes>,
    name: Arc<str>,
    kind: Kind,
    is_slow: bool,
}

impl Call {
    async fn run(mut self, fetches: Vec<Fetch>) {
        let pairs = fetches.iter().map(|fetch| (&fetch.request, &fetch.asked));
        let gathered = Gathered::of(&pairs.collect::<Vec<_>>());
        let (Some(gathered), Some(first)) = (gathered, fetches.first()) else {
            return;
        };
        let deadlines = fetches.iter().map(|fetch| fetch.ctx.deadline);
        let ctx = RequestContext {
            deadline: deadlines.max().unwrap_or(first.ctx.deadline),
            ..first.ctx.clone()
        };
        let saved = u64::try_from(fetches.len() - 1).unwrap_or_default();
        first.telemetry.fetches_saved(&self.name, saved);
        let subgraph = Arc::clone(&first.subgraph);
        let mut fetch = subgraph.fetch(gathered.request.clone(), &ctx);
        let response = match timeout(SLOW, &mut fetch).await {
            Ok(response) => response,
            Err(_) => {
                self.overtake();
                fetch.await
            }
        };
        let responses = response.and_then(|response| gathered.split(&response));
        match responses {
            Ok(responses) => {
                for (fetch, response) in fetches.into_iter().zip(responses) {
                    // Who asked may have gone.
                    drop(fetch.reply.send(Ok(response)));
                }
            }
            Err(error) => {
                for fetch in fetches {
                    drop(fetch.reply.send(Err(error.clone())));
                }
            }
        }
    }

    fn overtake(&mut self) {
        self.is_slow = true;
        if let Some(queue) = self.lanes.queues.lock().get_mut(&self.name) {
            queue.overtake(&self.kind);
        }
        self.lanes.start(&self.name);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(queue) = self.lanes.queues.lock().get_mut(&self.name) {
            queue.running = queue.running.saturating_sub(1);
            if !self.is_slow {
                queue.overtake(&self.kind);
            }
        }
        self.lanes.start(&self.name);
    }
}

impl Lane {
    /// Waits for a turn, alone or together with others, and fetches.
    ///
    /// # Cancel safety
    /// A dropped fetch that still waits is not made. Only for queries: it may be made together with those of others.
    pub(crate) async fn fetch(
        &self,
        name: &Arc<str>,
        subgraph: &Arc<dyn Subgraph>,
        request: FetchRequest,
        ctx: &RequestContext,
        telemetry: &Arc<dyn Telemetry>,
    ) -> Result<Bytes, FetchError> {
        let (reply, answer) = oneshot::channel();
        let asked = Asked::of(&request);
        let kind = Kind {
            connection: Arc::as_ptr(subgraph).cast::<()>().addr(),
            text: request.text.clone(),
            reader: self.reader.clone(),
            others: asked.others.as_ref().into(),
        };
        let fetch = Fetch {
            request,
            asked,
            ctx: ctx.clone(),
            subgraph: Arc::clone(subgraph),
            telemetry: Arc::clone(telemetry),
            span: Span::current(),
            reply,
        };
        self.lanes.push(name, kind, fetch);
        self.lanes.start(name);
        // The call ended without an answer: its task was ended with the process.
        let lost = |_| Err(FetchError::Lost("the call was given up".to_owned()));
        answer.await.unwrap_or_else(lost)
    }
}

#[cfg(test)]
#[path = "lane_tests.rs"]
mod tests;
