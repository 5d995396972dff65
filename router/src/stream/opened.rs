//! An open stream as transports see it, whoever makes its frames.

use std::pin::Pin;

use schema::code::ErrorCode;

use super::{
    closing::Closing,
    frame::{End, Frame},
    heartbeat::Heartbeats,
    live::LiveStream,
    subscription::LogStream,
};
use crate::config;

/// One open stream.
#[derive(Debug)]
pub(crate) enum Subscription {
    /// Of one of the router's own logs.
    Logged(Box<LogStream>),
    /// Of a subgraph of others.
    Live(Box<LiveStream>),
}

impl Subscription {
    /// Waits for the next frame, with a heartbeat whenever that takes long, and no longer than until it is `due` to end: that is
    /// [`Closing::due`], waited for once for the whole of a stream.
    ///
    /// # Errors
    /// [`End`], with the cursor from which the client can resume where the stream has cursors.
    pub(crate) async fn next<S, D>(
        &mut self,
        heartbeats: &mut Heartbeats<S>,
        due: Pin<&mut D>,
    ) -> Result<Frame, End>
    where
        S: FnMut(Option<&str>),
        D: Future<Output = ErrorCode>,
    {
        match self {
            Self::Logged(stream) => stream.next(heartbeats, due).await,
            // Streams of others are few, and what they take is no room that all others have.
            Self::Live(stream) => Box::pin(heartbeats.during(stream.next(due))).await,
        }
    }

    /// The cursor that the client has once it took the last frame, or heartbeat; empty where the stream has none.
    pub(crate) fn cursor(&self) -> &str {
        match self {
            Self::Logged(stream) => &stream.cursor,
            Self::Live(_) => "",
        }
    }

    /// When the stream must end even though its client takes nothing.
    pub(crate) fn closing(&self) -> Closing {
        match self {
            Self::Logged(stream) => stream.closing.clone(),
            Self::Live(stream) => stream.closing.clone(),
        }
    }

    /// The settings that transports share.
    pub(crate) fn config(&self) -> &config::Stream {
        match self {
            Self::Logged(stream) => &stream.config,
            Self::Live(stream) => &stream.config,
        }
    }
}
