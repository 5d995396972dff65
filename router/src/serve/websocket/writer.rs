//! The writing half of a socket, shared by its session and its operations.
//!
//! A frame is written as it is put, without a copy, and what the system does not take waits at the socket.
//! Source: RFC 6455, 5.2, 5.5 and 7.1.

use std::{io, sync::Arc, time::Duration};

use chassis::listen::Wire;
use futures::FutureExt as _;
use serde_json::{Value, json};
use tokio::time::timeout;
use tungstenite::protocol::frame::{
    Frame, FrameHeader,
    coding::{Control, Data, OpCode},
};

use super::close::Close;
use crate::{
    error::RequestError,
    serve::multiplex::{Gone, Voice},
};

/// How long the close frame may take, and how long operations may take to send their last message before it.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a client may take to close its side.
const FAREWELL: Duration = Duration::from_secs(1);
/// The longest header of a frame without a mask, in bytes.
const HEAD_MAX: usize = 10;

/// Writes frames.
#[derive(Debug, Clone)]
pub(super) struct Writer(Arc<Wire>);

impl Writer {
    pub(super) const fn new(wire: Arc<Wire>) -> Self {
        Self(wire)
    }

    /// Writes a text, whose parts are joined, when all before it is out of hand.
    ///
    /// # Errors
    /// [`Gone`].
    ///
    /// # Cancel safety
    /// Where the future is dropped, nothing was written.
    pub(super) async fn text(&self, parts: [&[u8]; 3]) -> Result<(), Gone> {
        self.0.taken().await.map_err(|_| Gone)?;
        let [before, text, after] = parts;
        let length = before.len() + text.len() + after.len();
        let mut room = [0; HEAD_MAX];
        let head = head(OpCode::Data(Data::Text), length, &mut room);
        let written = self.0.put([head, before, text, after]);
        written.map_err(|_| Gone)
    }

    /// Writes a message of the protocol, as [`Writer::text`].
    ///
    /// # Errors
    /// [`Gone`].
    pub(super) async fn message(&self, message: &Value) -> Result<(), Gone> {
        self.text([&[], message.to_string().as_bytes(), &[]]).await
    }

    /// Writes a ping, whose pong shows that the client still reads; not behind something that waits, which shows it as well.
    pub(super) fn ping(&self) {
        if self.0.unsent() == 0 {
            let mut room = [0; HEAD_MAX];
            let ping = head(OpCode::Control(Control::Ping), 0, &mut room);
            // A client that has gone is missed by whoever reads.
            let _is_there = self.0.put([ping]).is_ok();
        }
    }

    /// Sends the close frame behind all else, if there is anybody to send it to.
    pub(super) async fn close(&self, reason: &Close) {
        let Some(frame) = reason.frame() else {
            return;
        };
        let closing = async {
            self.0.taken().await?;
            let mut bytes = Vec::new();
            let frame = Frame::close(Some(frame));
            frame.format(&mut bytes).map_err(io::Error::other)?;
            self.0.put_last([&bytes])?;
            self.0.taken().await
        };
        match timeout(CLOSE_TIMEOUT, closing).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, ?reason, "the socket broke while it closed"),
            Err(_) => tracing::debug!(?reason, "the client took no close frame"),
        }
    }

    /// Ends the socket, for which the client has a moment: one with something unread would be reset, and what was written be lost.
    pub(super) async fn end(self) {
        self.0.shutdown();
        // One that stays is left.
        let _is_closed = timeout(FAREWELL, self.read_off()).await.is_ok();
    }

    async fn read_off(&self) {
        while self.0.readable().await.is_ok() {
            match self.0.try_read(&mut [0; 512]) {
                Ok(0) => return,
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return,
                _ => {}
            }
        }
    }
}

/// The header of a frame.
fn head(opcode: OpCode, length: usize, room: &mut [u8; HEAD_MAX]) -> &[u8] {
    let header = FrameHeader {
        opcode,
        ..FrameHeader::default()
    };
    let mut rest = &mut room[..];
    let is_written = header.format(length as u64, &mut rest).is_ok();
    debug_assert!(is_written, "a header without a mask has room");
    let left = rest.len();
    &room[..HEAD_MAX - left]
}

impl Voice for Writer {
    const SPAN: &'static str = "WebSocket operation";

    async fn next(&self, id: &str, body: &[u8]) -> Result<(), Gone> {
        let before = format!(r#"{{"id":{},"type":"next","payload":"#, Value::from(id));
        let body = String::from_utf8_lossy(body);
        self.text([before.as_bytes(), body.as_bytes(), b"}"]).await
    }

    async fn error(&self, id: &str, error: &RequestError) -> Result<(), Gone> {
        error.count();
        let errors: Value = error.to_json();
        self.message(&json!({"id": id, "type": "error", "payload": errors}))
            .await
    }

    async fn complete(&self, id: &str) -> Result<(), Gone> {
        self.message(&json!({"id": id, "type": "complete"})).await
    }

    /// A `ping`, which may have any payload: clients that know nothing of it answer and go on.
    fn place(&self, id: &str, cursor: &str) {
        if self.0.unsent() > 0 {
            return;
        }
        let payload = json!({"id": id, "cursor": cursor});
        let ping = json!({"type": "ping", "payload": payload});
        // What is not heard of is said again when it has moved on.
        let _is_said = self.message(&ping).now_or_never();
    }
}
