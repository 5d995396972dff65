//! One subscriber over a bare socket, so that ten thousand of them cost this process little.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, bail, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

use crate::frames::{Frames, after};

/// Connections from one source address: an address has some 28,000 ports to give.
const A_SOURCE: usize = 20_000;
/// Streams that are opened at once.
const AT_ONCE: usize = 100;
/// A client's `pong`, masked with nothing. Source: RFC 6455, 5.3, 5.5.3.
const PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];
const PING_CODE: u8 = 0x89;

/// How a subscriber gets its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Sse,
    WebSocket,
}

impl Wire {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sse => "SSE",
            Self::WebSocket => "WebSocket",
        }
    }
}

/// What is subscribed to, and by whom.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) address: SocketAddr,
    pub(crate) wire: Wire,
    pub(crate) query: &'static str,
    pub(crate) token: String,
}

/// An open stream.
#[derive(Debug)]
pub(crate) struct Subscriber {
    socket: TcpStream,
    wire: Wire,
    /// What has come and is not taken yet.
    bytes: Vec<u8>,
    /// Where to resume.
    pub(crate) cursor: Option<String>,
}

impl Subscriber {
    /// Opens a stream, behind a cursor if there is one. `number` tells subscribers apart.
    ///
    /// # Errors
    /// When it is refused or broken.
    pub(crate) async fn open(
        wish: &Wish,
        number: usize,
        cursor: Option<String>,
    ) -> anyhow::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        let host = u8::try_from(number / A_SOURCE)?;
        socket.bind((Ipv4Addr::new(127, 0, 0, 1 + host), 0).into())?;
        let mut subscriber = Self {
            socket: socket.connect(wish.address).await?,
            wire: wish.wire,
            bytes: Vec::new(),
            cursor,
        };
        match wish.wire {
            Wire::Sse => subscriber.open_events(wish).await?,
            Wire::WebSocket => subscriber.open_socket(wish).await?,
        }
        Ok(subscriber)
    }

    async fn open_events(&mut self, wish: &Wish) -> anyhow::Result<()> {
        let body = json!({ "query": wish.query }).to_string();
        let resume = self.cursor.as_ref();
        let resume = resume.map_or_else(String::new, |it| format!("last-event-id: {it}\r\n"));
        let request = format!(
            "POST /graphql HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n{resume}\
             content-type: application/json\r\naccept: text/event-stream\r\ncontent-length: {}\r\n\r\n{body}",
            wish.token,
            body.len()
        );
        self.socket.write_all(request.as_bytes()).await?;
        let head = self.until(b"\r\n\r\n").await?;
        ensure!(head.starts_with(b"HTTP/1.1 200"), "{}", text(&head));
        // The first block has the cursor of the beginning.
        let block = self.until(b"\n\n").await?;
        ensure!(after(&block, b"retry: ").is_some(), "{}", text(&block));
        self.note(&block);
        Ok(())
    }

    async fn open_socket(&mut self, wish: &Wish) -> anyhow::Result<()> {
        let request = "GET /graphql HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             sec-websocket-protocol: graphql-transport-ws\r\n\r\n";
        self.socket.write_all(request.as_bytes()).await?;
        let head = self.until(b"\r\n\r\n").await?;
        ensure!(head.starts_with(b"HTTP/1.1 101"), "{}", text(&head));
        let token = format!("Bearer {}", wish.token);
        let init = json!({ "type": "connection_init", "payload": { "authorization": token } });
        self.say(&init.to_string()).await?;
        let (_, acknowledged) = self.message().await?;
        let is_ack = after(&acknowledged, b"connection_ack").is_some();
        ensure!(is_ack, "{}", text(&acknowledged));
        let mut payload = json!({ "query": wish.query });
        if let Some(cursor) = &self.cursor {
            payload["extensions"] = json!({ "resume": cursor });
        }
        let subscribe = json!({ "type": "subscribe", "id": "1", "payload": payload });
        self.say(&subscribe.to_string()).await
    }

    /// Sends a text, masked with nothing.
    async fn say(&mut self, text: &str) -> anyhow::Result<()> {
        let length = u16::try_from(text.len())?;
        let mut frame = vec![0x81];
        match u8::try_from(length).ok().filter(|it| *it < 126) {
            Some(short) => frame.push(0x80 | short),
            None => {
                frame.push(0x80 | 126);
                frame.extend(length.to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        Ok(self.socket.write_all(&frame).await?)
    }

    /// Takes what comes up to and with `mark`.
    async fn until(&mut self, mark: &[u8]) -> anyhow::Result<Vec<u8>> {
        loop {
            if let Some(rest) = after(&self.bytes, mark) {
                let rest = rest.to_vec();
                let mut taken = std::mem::replace(&mut self.bytes, rest);
                taken.truncate(taken.len() - self.bytes.len());
                return Ok(taken);
            }
            self.receive().await?;
        }
    }

    /// Takes one message: its code and payload.
    async fn message(&mut self) -> anyhow::Result<(u8, Vec<u8>)> {
        loop {
            if let Some(message) = self.take_message() {
                return Ok(message);
            }
            self.receive().await?;
        }
    }

    fn take_message(&mut self) -> Option<(u8, Vec<u8>)> {
        let (code, start, end) = message(&self.bytes)?;
        Some((code, self.bytes.drain(..end).skip(start).collect()))
    }

    async fn receive(&mut self) -> anyhow::Result<()> {
        let mut chunk = [0; 4_096];
        match self.socket.read(&mut chunk).await? {
            0 => bail!("the stream is over"),
            read => self.bytes.extend_from_slice(&chunk[..read]),
        }
        Ok(())
    }

    /// Reads until the stream breaks, and says why it did.
    pub(crate) async fn read(&mut self, frames: &Frames) -> anyhow::Error {
        loop {
            let taken = match self.wire {
                Wire::Sse => self.take_blocks(frames),
                Wire::WebSocket => self.take_messages(frames).await,
            };
            let received = match taken {
                Ok(()) => self.receive().await,
                Err(error) => Err(error),
            };
            if let Err(error) = received {
                return error;
            }
        }
    }

    fn take_blocks(&mut self, frames: &Frames) -> anyhow::Result<()> {
        while let Some(rest) = after(&self.bytes, b"\n\n").map(<[u8]>::len) {
            let block: Vec<u8> = self.bytes.drain(..self.bytes.len() - rest).collect();
            ensure!(
                after(&block, b"event: complete").is_none(),
                "the stream was completed: {}",
                text(&block)
            );
            self.note(&block);
            frames.take(&block);
        }
        Ok(())
    }

    fn note(&mut self, block: &[u8]) {
        if let Some(id) = after(block, b"id: ") {
            let end = id.iter().position(|byte| *byte == b'\n');
            self.cursor = Some(text(&id[..end.unwrap_or(id.len())]));
        }
    }

    async fn take_messages(&mut self, frames: &Frames) -> anyhow::Result<()> {
        while let Some((code, payload)) = self.take_message() {
            match code {
                PING_CODE => self.socket.write_all(&PONG).await?,
                0x81 => {
                    let is_next = after(&payload, br#""type":"next""#).is_some();
                    ensure!(is_next, "the stream ended: {}", text(&payload));
                    frames.take(&payload);
                }
                _ => bail!("the socket was closed: {}", text(&payload)),
            }
        }
        Ok(())
    }
}

/// The first message of what came: its code, and where its payload begins and ends.
fn message(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (code, short) = (*bytes.first()?, *bytes.get(1)?);
    let (start, length) = match short {
        127 => return None,
        126 => (
            4,
            u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]).into(),
        ),
        short => (2, usize::from(short)),
    };
    (bytes.len() >= start + length).then_some((code, start, start + length))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Opens `count` streams, whose wishes take turns.
///
/// # Errors
/// When one of them is refused.
pub(crate) async fn open_all(wishes: &[Wish], count: usize) -> anyhow::Result<Vec<Subscriber>> {
    let opening = (0..count).map(|number| {
        let wish = &wishes[number % wishes.len()];
        async move {
            let opened = Subscriber::open(wish, number, None).await;
            opened.with_context(|| format!("subscriber {number}"))
        }
    });
    let opening = futures::stream::iter(opening).buffer_unordered(AT_ONCE);
    opening.try_collect().await
}
