//! Group commit: requests that come while a transaction runs form the next one.
//!
//! One task decides and writes for the whole process, so requests for the same goods do not queue up for row locks,
//! and one flush of the log serves many. There is no timer: a request that comes alone runs at once. Invariants: the
//! queue is bounded, and one more is refused with `OVERLOADED`; a request whose caller has left before its group is
//! formed is not served, after that its outcome stands; a group that meets a fault is run again one by one, so a
//! request can fail only by itself.

use std::{sync::Arc, time::Instant};

use chassis::{fault::Coded as _, tasks::Tasks};
use idempotency::Recorded;
use schema::code::ErrorCode;
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::{
    Error, Outcome,
    request::Request,
    writer::{Verdict, Writer},
};
use crate::metrics;

/// The most requests of one transaction.
const GROUP: usize = 128;

type Answer = Result<Recorded<Outcome>, Error>;

/// A request with the one who waits for it.
#[derive(Debug)]
struct Waiting {
    request: Request,
    answer: oneshot::Sender<Answer>,
}

/// The way into the queue. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Ledger {
    queue: mpsc::Sender<Waiting>,
}

impl Ledger {
    /// Starts the task; it works off what waits at the end of the process.
    pub(super) fn start(writer: Writer, capacity: usize, tasks: &Tasks) -> Self {
        let (queue, waiting) = mpsc::channel(capacity.max(1));
        let token = tasks.token();
        metrics::announce_groups();
        tasks.spawn("order groups", async move {
            Task { writer, waiting }.run(token).await;
        });
        Self { queue }
    }

    /// Waits for the group that decides `request`. Gives the request back when the task has ended.
    pub(super) async fn decide(&self, request: Request) -> Result<Answer, Request> {
        let (answer, answered) = oneshot::channel();
        match self.queue.try_send(Waiting { request, answer }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                metrics::queue_full();
                return Ok(Err(Error::QueueFull));
            }
            Err(TrySendError::Closed(waiting)) => return Err(waiting.request),
        }
        Ok(answered.await.unwrap_or(Err(Error::Lost)))
    }
}

struct Task {
    writer: Writer,
    waiting: mpsc::Receiver<Waiting>,
}

impl Task {
    /// Ends when the process stops and nobody waits any more.
    async fn run(mut self, token: CancellationToken) {
        let mut group = Vec::with_capacity(GROUP);
        loop {
            tokio::select! {
                biased;
                // Whoever comes from now on runs by itself; whoever waits already is served.
                () = token.cancelled(), if !self.waiting.is_closed() => self.waiting.close(),
                taken = self.waiting.recv_many(&mut group, GROUP) => {
                    if taken == 0 {
                        return;
                    }
                    self.serve(std::mem::take(&mut group)).await;
                }
            }
        }
    }

    /// Runs a group, and after it what has to wait for its commit.
    async fn serve(&self, mut group: Vec<Waiting>) {
        while !group.is_empty() {
            group.retain(|waiting| !waiting.answer.is_closed());
            group = self.serve_once(group).await;
        }
    }

    /// Gives back who has to be asked again.
    async fn serve_once(&self, group: Vec<Waiting>) -> Vec<Waiting> {
        let started = Instant::now();
        let requests: Vec<&Request> = group.iter().map(|waiting| &waiting.request).collect();
        if requests.is_empty() {
            return group;
        }
        let span = tracing::debug_span!(
            "group",
            requests = requests.len(),
            trace_id = tracing::field::Empty
        );
        let caller = requests[0].traceparent.as_deref();
        let span = chassis::telemetry::trace::follow(span, caller);
        let committed = self.writer.commit(&requests).instrument(span).await;
        metrics::group(requests.len(), started.elapsed());
        match committed {
            Ok(verdicts) => answer(group, verdicts),
            Err(error) => {
                self.serve_after(error, group).await;
                Vec::new()
            }
        }
    }

    /// What a fault means for its group: nobody is served while the database is away, else each is tried alone.
    async fn serve_after(&self, error: Error, group: Vec<Waiting>) {
        let is_alone = group.len() == 1;
        let is_away = error.code() == ErrorCode::Unavailable;
        let error = Arc::new(error);
        for Waiting { request, answer } in group {
            let outcome = if is_alone || is_away {
                Err(Error::Group(Arc::clone(&error)))
            } else {
                self.writer.commit_one(&request).await
            };
            // Nobody waits when the caller has left; the outcome stands.
            drop(answer.send(outcome));
        }
    }
}

fn answer(group: Vec<Waiting>, verdicts: Vec<Verdict>) -> Vec<Waiting> {
    let mut later = Vec::new();
    for (waiting, verdict) in group.into_iter().zip(verdicts) {
        let outcome = match verdict {
            Verdict::Answered(answered) => Ok(answered),
            Verdict::Reused => Err(idempotency::Error::Reused.into()),
            Verdict::Later => {
                later.push(waiting);
                continue;
            }
        };
        // Nobody waits when the caller has left; the outcome stands.
        drop(waiting.answer.send(outcome));
    }
    later
}
