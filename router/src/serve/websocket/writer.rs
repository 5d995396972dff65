//! The writing half of a socket: messages in their order, pings, and the close frame last.

use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use futures::{SinkExt, stream::SplitSink};
use schema::code::ErrorCode;
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval_at, timeout},
};

use super::{close::Close, message::Outgoing};
use crate::serve::telemetry;

/// How long the close frame may take, and how long operations may take to send their last message before it.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) type Sink = SplitSink<WebSocket, Message>;

/// Sends messages in their order, and a ping every interval: its pong shows that the client still reads. Ends when every
/// sender is gone, or when the client takes nothing for too long.
pub(super) async fn write(
    mut sink: Sink,
    mut outgoing: mpsc::Receiver<Outgoing>,
    heartbeat_interval: Duration,
    slow_client_timeout: Duration,
) -> (Sink, Close) {
    let mut heartbeats = interval_at(Instant::now() + heartbeat_interval, heartbeat_interval);
    heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let message = tokio::select! {
            message = outgoing.recv() => match message {
                Some(message) => *message,
                None => return (sink, Close::Gone),
            },
            _ = heartbeats.tick() => Message::Ping(Bytes::new()),
        };
        match timeout(slow_client_timeout, sink.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return (sink, Close::Gone),
            Err(_) => {
                telemetry::slow_client();
                return (sink, Close::interrupted(ErrorCode::SlowConsumer));
            }
        }
    }
}

/// Sends the close frame, if there is anybody to send it to, and closes the socket.
pub(super) async fn close(mut sink: Sink, reason: &Close) {
    let closing = async {
        if let Some(frame) = reason.frame() {
            sink.send(Message::Close(Some(frame))).await?;
        }
        sink.close().await
    };
    match timeout(CLOSE_TIMEOUT, closing).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, ?reason, "the socket broke while it closed"),
        Err(_) => tracing::debug!(?reason, "the client took no close frame"),
    }
}
