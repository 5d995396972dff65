//! Where the body of a response that lasts goes: to the socket itself, or into the hands of the library that has the connection.
//!
//! Invariant: what was put is written in its order and in whole pieces, or the connection ends; a response that breaks off has
//! no end that a client takes for one. No buffer is kept while there is nothing to say.

use std::{io, time::Duration};

use axum::body::Bytes;
use tokio::{net::TcpStream, sync::mpsc, time::timeout};

use super::{
    metrics::{self, Reason},
    wire::{Stalled, Wire},
};

/// What a client may send behind its request; it is read by nobody.
const UNREAD_BYTES_MAX: usize = 64 * 1024;
/// The end of a body that is whole.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
/// Pieces on their way through a library: one, and room for the last words and the break behind it.
const SLOTS: usize = 3;

/// The client has gone, or takes nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client has gone")]
pub struct Gone;

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It is whole.
    Whole,
    /// It ends here, and not by its own rules: no client takes it for whole. Source: RFC 9112, 8; RFC 9113, 8.1.
    Broken,
}

/// Where the writer of a response puts it.
#[derive(Debug)]
pub struct Outlet(Way);

#[derive(Debug)]
enum Way {
    Socket(Box<Socket>),
    Body(mpsc::Sender<Piece>),
}

/// A piece for a library.
#[derive(Debug)]
pub(super) enum Piece {
    Bytes(Bytes),
    Break,
}

#[derive(Debug)]
struct Socket {
    wire: Wire,
    listener: &'static str,
    write_timeout: Duration,
}

impl Outlet {
    /// Into a socket, behind the head of its response.
    pub(super) fn of_a_socket(
        stream: TcpStream,
        listener: &'static str,
        head: Vec<u8>,
        write_timeout: Duration,
    ) -> Self {
        Self(Way::Socket(Box::new(Socket {
            wire: Wire::new(stream, head),
            listener,
            write_timeout,
        })))
    }

    /// Into a body, and what is to be taken from there.
    pub(super) fn of_a_body() -> (Self, mpsc::Receiver<Piece>) {
        let (pieces, taken) = mpsc::channel(SLOTS);
        (Self(Way::Body(pieces)), taken)
    }

    /// Puts a piece on its way, which is whole from here on. The next may come when [`Outlet::taken`] says so.
    ///
    /// # Errors
    /// [`Gone`].
    pub fn put(&self, piece: Bytes) -> Result<(), Gone> {
        match &self.0 {
            Way::Socket(socket) => socket.put(&piece).map_err(|_| Gone),
            Way::Body(_) if piece.is_empty() => Ok(()),
            Way::Body(pieces) => pieces.try_send(Piece::Bytes(piece)).map_err(|_| Gone),
        }
    }

    /// Puts a piece on its way unless another is there, which is as good a sign of life.
    pub fn put_if_idle(&self, piece: Bytes) {
        // A client that has gone is missed by `gone`.
        match &self.0 {
            Way::Socket(socket) if socket.wire.unsent() > 0 => {}
            Way::Socket(socket) => drop(socket.put(&piece)),
            Way::Body(pieces) if pieces.capacity() == SLOTS => {
                drop(pieces.try_send(Piece::Bytes(piece)));
            }
            Way::Body(_) => {}
        }
    }

    /// Waits until what was put is out of hand: the system has it, or the library.
    ///
    /// # Errors
    /// [`Gone`].
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn taken(&self) -> Result<(), Gone> {
        match &self.0 {
            Way::Socket(socket) => socket.wire.taken().await.map_err(|_| Gone),
            Way::Body(pieces) => pieces.reserve_many(SLOTS).await.map(drop).map_err(|_| Gone),
        }
    }

    /// Resolves when the client has gone, takes nothing for too long, or sends more than anybody would behind its request. What is
    /// left over of signs of life is written meanwhile, so it is to be waited for beside everything else.
    pub async fn gone(&self) {
        match &self.0 {
            Way::Socket(socket) => socket.tend().await,
            Way::Body(pieces) => pieces.closed().await,
        }
    }

    /// Writes the last words and ends the body.
    pub async fn end(self, words: Bytes, ending: Ending) {
        match self.0 {
            Way::Socket(socket) => Box::pin(socket.end(words, ending)).await,
            Way::Body(pieces) => {
                let words = Some(words).filter(|words| !words.is_empty());
                let last = words.map(Piece::Bytes);
                let breaks = (ending == Ending::Broken).then_some(Piece::Break);
                // Nobody takes them where the client has gone.
                last.into_iter()
                    .chain(breaks)
                    .for_each(|piece| drop(pieces.try_send(piece)));
            }
        }
    }
}

impl Socket {
    fn put(&self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            // An empty chunk would be the last.
            return self.wire.flush().map(drop);
        }
        let mut size = [0; 18];
        self.wire
            .put([chunk_size(bytes.len(), &mut size), bytes, b"\r\n"])
    }

    async fn tend(&self) {
        tokio::select! {
            stalled = self.wire.stalled(self.write_timeout) => {
                if stalled == Stalled::TakesNothing {
                    metrics::cut(self.listener, Reason::WriteTimeout);
                }
            }
            () = self.ends() => {}
        }
    }

    /// Reads off what nobody reads; resolves when the client has closed its side, or sends too much.
    async fn ends(&self) {
        let mut unread = 0;
        while unread <= UNREAD_BYTES_MAX && self.wire.readable().await.is_ok() {
            match self.wire.try_read(&mut [0; 512]) {
                Ok(0) => return,
                Ok(read) => unread += read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }

    async fn end(self: Box<Self>, words: Bytes, ending: Ending) {
        if self.put(&words).is_err() {
            return;
        }
        if ending == Ending::Whole && self.wire.put([LAST_CHUNK]).is_err() {
            return;
        }
        match timeout(self.write_timeout, self.wire.taken()).await {
            // A client that has gone misses the end.
            Ok(_) => self.wire.shutdown(),
            Err(_) => metrics::cut(self.listener, Reason::WriteTimeout),
        }
    }
}

/// The line before a chunk: its size in hexadecimal digits.
fn chunk_size(bytes: usize, line: &mut [u8; 18]) -> &[u8] {
    use io::Write as _;
    let mut rest = &mut line[..];
    let is_written = write!(rest, "{bytes:x}\r\n").is_ok();
    debug_assert!(is_written, "16 digits and the line's end");
    let left = rest.len();
    let length = line.len() - left;
    &line[..length]
}
