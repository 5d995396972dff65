//! What somebody hears who listens to a subscription at a subgraph.

use bytes::Bytes;
use tokio::sync::broadcast::{self, error::RecvError};

use crate::subgraph::error::FetchError;

/// What a listener of a subscription is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LiveEvent {
    /// A GraphQL response as JSON, in the shape of the plan's first fetch.
    Response(Bytes),
    /// Events may be missing here: the upstream was lost and is open again, or the listener was too slow.
    Gap,
    /// The subgraph completed the subscription.
    Complete,
    /// It is lost for good.
    Lost(FetchError),
}

/// A listener of a subscription.
#[derive(Debug)]
pub struct Listener(broadcast::Receiver<LiveEvent>);

impl Listener {
    pub(super) const fn new(receiver: broadcast::Receiver<LiveEvent>) -> Self {
        Self(receiver)
    }

    /// Whether both hear the same upstream.
    #[must_use]
    pub fn is_with(&self, other: &Self) -> bool {
        self.0.same_channel(&other.0)
    }

    /// Waits for what comes next.
    ///
    /// # Cancel safety
    /// Nothing is lost by dropping it.
    pub async fn next(&mut self) -> LiveEvent {
        match self.0.recv().await {
            Ok(event) => event,
            Err(RecvError::Lagged(_)) => LiveEvent::Gap,
            Err(RecvError::Closed) => {
                LiveEvent::Lost(FetchError::Lost("the upstream ended".to_owned()))
            }
        }
    }
}
