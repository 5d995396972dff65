//! A stream of a subgraph of others: what the subgraph says, with the entities that the operation asks of the graph.
//!
//! Such a stream has no cursor: what it misses is gone, and the frame after says so by `extensions.eventsMayBeMissing`.
//! Invariant: it ends with an error rather than stay open over a subgraph that does not come back.

use std::{pin::Pin, sync::Arc};

use bytes::Bytes;
use federation::{Engine, Listener, LiveEvent};
use schema::code::ErrorCode;
use tokio::sync::watch;

use super::{
    closing::Closing,
    credentials::Credentials,
    frame::{End, Frame},
    metrics::OpenStream,
    shared::{Asker, Frames},
};
use crate::{admission::StreamPermit, config, error::RequestError};

/// One open stream.
#[derive(Debug)]
pub(crate) struct LiveStream {
    pub(super) config: Arc<config::Stream>,
    pub(super) engine: Arc<Engine>,
    pub(super) frames: Arc<Frames>,
    pub(super) asker: Asker,
    pub(super) listener: Listener,
    /// Whether the client has yet to be told that events may be missing.
    pub(super) may_be_missing: bool,
    pub(super) closing: Closing,
    pub(super) credentials: Credentials,
    /// Changes when another graph is served.
    pub(super) reloads: watch::Receiver<()>,
    pub(super) _permit: StreamPermit,
    pub(super) _open: OpenStream,
}

impl LiveStream {
    /// Waits for the next frame.
    ///
    /// # Errors
    /// [`End`]: complete where the subgraph says so.
    pub(super) async fn next<D>(&mut self, mut due: Pin<&mut D>) -> Result<Frame, End>
    where
        D: Future<Output = ErrorCode>,
    {
        let end = |error| End::before_a_frame(error, "");
        loop {
            let event = tokio::select! {
                biased;
                code = &mut due => return Err(End::interrupted(code, "")),
                Ok(()) = self.reloads.changed() => {
                    Box::pin(self.renew()).await.map_err(end)?;
                    continue;
                }
                () = self.credentials.renewed() => {
                    self.credentials.renew(&mut self.asker.ctx);
                    continue;
                }
                event = self.listener.next() => event,
            };
            match event {
                LiveEvent::Response(response) => {
                    return Box::pin(self.frame(response)).await.map_err(end);
                }
                LiveEvent::Gap => self.may_be_missing = true,
                LiveEvent::Complete => return Err(End::Complete),
                LiveEvent::Lost(error) => {
                    tracing::warn!(%error, "a stream of a subgraph is lost");
                    return Err(End::interrupted(ErrorCode::Unavailable, ""));
                }
            }
        }
    }

    async fn frame(&mut self, response: Bytes) -> Result<Frame, RequestError> {
        let may_be_missing = std::mem::take(&mut self.may_be_missing);
        let completing = self
            .frames
            .complete_live(&self.asker, response, may_be_missing);
        Ok(Frame {
            cursor: String::new(),
            body: completing.await?,
        })
    }

    /// Goes on over the graph that is served now; only where the operation is none of that graph, or its subgraph does not take
    /// it, the stream ends.
    async fn renew(&mut self) -> Result<(), RequestError> {
        let Some(renewed) = self.frames.renewed(&self.asker).await? else {
            return Ok(());
        };
        let listener = self.engine.listen(&renewed.prepared, &renewed.ctx).await;
        let listener = listener.map_err(|_| RequestError::masked(ErrorCode::Unavailable))?;
        // The same upstream goes on where nothing of it has changed, and then nothing is missed.
        if !listener.is_with(&self.listener) {
            self.may_be_missing = true;
            self.listener = listener;
        }
        self.asker = renewed;
        Ok(())
    }
}
