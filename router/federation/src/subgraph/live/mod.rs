//! Subscriptions at a subgraph: over SSE, or many over one WebSocket.
//!
//! Identical ones share one upstream: the same text, variables and headers. An upstream that is lost is opened again with
//! growing pauses, and everybody who listens is told that events may be missing. Invariant: an upstream lives as long as
//! somebody listens to it, and nobody waits for a listener that is slow: who lags is told that events are missing.

mod protocol;
mod sse;
mod websocket;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};
use tokio::time::{Instant, sleep, timeout};

use crate::host::Telemetry;
use crate::subgraph::config::FetchConfig;
use crate::subgraph::error::FetchError;
use crate::subgraph::listener::{Listener, LiveEvent};
use crate::subgraph::live::protocol::Responses;

pub(super) use protocol::{Asked, Protocol};
pub(super) use sse::Sse;
pub(super) use websocket::Sockets;

/// Events that a listener may be behind.
const BEHIND_MAX: usize = 256;
/// The first pause before a lost upstream is opened again, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(10);

/// The upstreams of one subgraph.
pub(super) struct Live {
    name: Arc<str>,
    protocol: Arc<dyn Protocol>,
    open: Arc<Mutex<HashMap<Asked, broadcast::Sender<LiveEvent>>>>,
    /// One for each upstream that is open or opens.
    places: Arc<Semaphore>,
    config: FetchConfig,
    telemetry: Arc<dyn Telemetry>,
}

impl Live {
    pub(super) fn new(
        name: &str,
        protocol: Arc<dyn Protocol>,
        config: FetchConfig,
        telemetry: Arc<dyn Telemetry>,
    ) -> Self {
        Self {
            name: name.into(),
            protocol,
            open: Arc::default(),
            places: Arc::new(Semaphore::new(
                config.subscriptions_max.min(Semaphore::MAX_PERMITS),
            )),
            config,
            telemetry,
        }
    }

    /// Listens to what is asked, over the upstream of those who ask the same where there is one.
    ///
    /// # Errors
    /// [`FetchError`] when the subgraph does not open it, or has as many as it may.
    pub(super) async fn listen(&self, asked: Asked) -> Result<Listener, FetchError> {
        if let Some(listener) = self.join(&asked) {
            return Ok(listener);
        }
        let max = self.config.subscriptions_max;
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| FetchError::Subscriptions { max })?;
        let responses = self.begin(asked.clone()).await?;
        let mut open = self.open.lock();
        // Somebody may have opened the same meanwhile; one of the two is enough.
        if let Some(sender) = open
            .get(&asked)
            .filter(|sender| sender.receiver_count() > 0)
        {
            return Ok(Listener::new(sender.subscribe()));
        }
        let (sender, receiver) = broadcast::channel(BEHIND_MAX);
        open.insert(asked.clone(), sender.clone());
        drop(open);
        let upstream = Upstream {
            name: self.name.clone(),
            asked,
            protocol: self.protocol.clone(),
            open: self.open.clone(),
            sender,
            patience: self.config.resubscribe_timeout,
            opening: self.config.timeout,
            telemetry: self.telemetry.clone(),
            _place: place,
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "it ends with its last listener, which shutdown ends"
        )]
        tokio::spawn(upstream.run(responses));
        Ok(Listener::new(receiver))
    }

    fn join(&self, asked: &Asked) -> Option<Listener> {
        let open = self.open.lock();
        let shared = open.get(asked).filter(|sender| sender.receiver_count() > 0);
        shared.map(|sender| Listener::new(sender.subscribe()))
    }

    async fn begin(&self, asked: Asked) -> Result<Responses, FetchError> {
        let limit = self.config.timeout;
        let opened = timeout(limit, self.protocol.open(asked)).await;
        opened.unwrap_or(Err(FetchError::Timeout(limit)))
    }
}

/// One upstream and its listeners.
struct Upstream {
    name: Arc<str>,
    asked: Asked,
    protocol: Arc<dyn Protocol>,
    open: Arc<Mutex<HashMap<Asked, broadcast::Sender<LiveEvent>>>>,
    sender: broadcast::Sender<LiveEvent>,
    patience: Duration,
    opening: Duration,
    telemetry: Arc<dyn Telemetry>,
    _place: OwnedSemaphorePermit,
}

impl Upstream {
    async fn run(self, responses: Responses) {
        self.telemetry.upstreams(&self.name, 1);
        let sender = self.sender.clone();
        tokio::select! {
            last = self.forward(responses) => {
                // Nobody is there when all have left in this moment.
                drop(sender.send(last));
            }
            () = sender.closed() => {}
        }
        let mut open = self.open.lock();
        if open
            .get(&self.asked)
            .is_some_and(|it| it.same_channel(&self.sender))
        {
            open.remove(&self.asked);
        }
        drop(open);
        self.telemetry.upstreams(&self.name, -1);
    }

    /// Hands over what comes, and opens the upstream again when it is lost; gives the last word.
    async fn forward(&self, mut responses: Responses) -> LiveEvent {
        loop {
            let lost = loop {
                match responses.next().await {
                    Some(Ok(response)) => drop(self.sender.send(LiveEvent::Response(response))),
                    Some(Err(error)) => break error,
                    None => return LiveEvent::Complete,
                }
            };
            self.telemetry.upstream_lost(&self.name);
            tracing::warn!(subgraph = &*self.name, error = %lost, "a subscription at a subgraph was lost");
            responses = match self.again(lost).await {
                Ok(responses) => responses,
                Err(error) => return LiveEvent::Lost(error),
            };
            drop(self.sender.send(LiveEvent::Gap));
        }
    }

    async fn again(&self, mut lost: FetchError) -> Result<Responses, FetchError> {
        let until = Instant::now() + self.patience;
        let mut pause = FIRST_PAUSE;
        loop {
            if Instant::now() + pause > until {
                return Err(lost);
            }
            sleep(pause).await;
            pause = (pause * 2).min(LAST_PAUSE);
            let opening = timeout(self.opening, self.protocol.open(self.asked.clone()));
            match opening.await {
                Ok(Ok(responses)) => return Ok(responses),
                Ok(Err(error)) => lost = error,
                Err(_) => lost = FetchError::Timeout(self.opening),
            }
        }
    }
}

#[cfg(test)]
mod tests;
