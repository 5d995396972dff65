//! The socket of a connection that was taken from its HTTP library.
//!
//! Invariant: what was put is written whole and in its order, or nothing behind it is. No buffer is kept while there is nothing
//! to say.

use std::{
    fmt,
    io::{self, IoSlice},
    time::Duration,
};

use parking_lot::Mutex;
use rustix::net::{Shutdown, shutdown};
use tokio::{net::TcpStream, sync::Notify, time::timeout};

/// A socket that several may write to and one reads.
pub struct Wire {
    stream: TcpStream,
    unsent: Mutex<Unsent>,
    /// There is something unsent, which its writer may not wait for.
    left_over: Notify,
}

/// What the system has not taken.
#[derive(Default)]
struct Unsent {
    bytes: Vec<u8>,
    /// The last was put.
    is_closed: bool,
}

/// Why nothing more can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stalled {
    /// The client has gone.
    Gone,
    /// It took nothing for too long.
    TakesNothing,
}

/// Without what is unsent, which is a caller's own.
impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}

impl Wire {
    /// Over a socket to which `first` is to be written.
    pub(super) fn new(stream: TcpStream, first: Vec<u8>) -> Self {
        let unsent = Unsent {
            bytes: first,
            is_closed: false,
        };
        Self {
            stream,
            unsent: Mutex::new(unsent),
            left_over: Notify::new(),
        }
    }

    /// Puts the parts on their way, as one. What the system does not take is kept until it does.
    ///
    /// # Errors
    /// Where the client has gone, or the last was put.
    pub fn put<const N: usize>(&self, parts: [&[u8]; N]) -> io::Result<()> {
        self.append(parts, false)
    }

    /// Puts what is the last.
    ///
    /// # Errors
    /// As [`Wire::put`].
    pub fn put_last<const N: usize>(&self, parts: [&[u8]; N]) -> io::Result<()> {
        self.append(parts, true)
    }

    fn append<const N: usize>(&self, parts: [&[u8]; N], is_last: bool) -> io::Result<()> {
        let mut unsent = self.unsent.lock();
        if std::mem::replace(&mut unsent.is_closed, is_last) {
            unsent.is_closed = true;
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut written = 0;
        if unsent.bytes.is_empty() {
            written = or_none(self.stream.try_write_vectored(&parts.map(IoSlice::new)))?;
            if written == parts.iter().map(|part| part.len()).sum::<usize>() {
                return Ok(());
            }
        }
        for part in parts {
            let is_written = written.min(part.len());
            let left = part.get(is_written..).unwrap_or_default();
            unsent.bytes.extend_from_slice(left);
            written -= is_written;
        }
        drop(unsent);
        if !self.flush()? {
            self.left_over.notify_one();
        }
        Ok(())
    }

    /// Writes what the system takes; whether that is all.
    ///
    /// # Errors
    /// Where the client has gone.
    pub(super) fn flush(&self) -> io::Result<bool> {
        let mut unsent = self.unsent.lock();
        while !unsent.bytes.is_empty() {
            let written = or_none(self.stream.try_write(&unsent.bytes))?;
            if written == 0 {
                return Ok(false);
            }
            unsent.bytes.drain(..written);
        }
        unsent.bytes = Vec::new();
        Ok(true)
    }

    /// How much the system has not taken, in bytes.
    pub fn unsent(&self) -> usize {
        self.unsent.lock().bytes.len()
    }

    /// Waits until the system has taken everything.
    ///
    /// # Errors
    /// Where the client has gone.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn taken(&self) -> io::Result<()> {
        while !self.flush()? {
            self.stream.writable().await?;
        }
        Ok(())
    }

    /// Writes what is left over for as long as the client takes some of it every `limit`; resolves when it does not. So somebody
    /// must wait for this beside everything else.
    pub async fn stalled(&self, limit: Duration) -> Stalled {
        loop {
            match self.flush() {
                Ok(true) => self.left_over.notified().await,
                // What waiting takes is not held by those who need not.
                Ok(false) => match Box::pin(timeout(limit, self.stream.writable())).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return Stalled::Gone,
                    Err(_) => return Stalled::TakesNothing,
                },
                Err(_) => return Stalled::Gone,
            }
        }
    }

    /// Waits until there may be something to read.
    ///
    /// # Errors
    /// Those of the socket.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn readable(&self) -> io::Result<()> {
        self.stream.readable().await
    }

    /// Reads what is there; 0 where the client has closed its side.
    ///
    /// # Errors
    /// `WouldBlock` where nothing is.
    pub fn try_read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        self.stream.try_read(bytes)
    }

    /// Says that nothing more is written.
    pub fn shutdown(&self) {
        // A client that has gone misses nothing.
        let _is_there = shutdown(&self.stream, Shutdown::Write).is_ok();
    }
}

/// Nothing, where the system has no room, or nothing, for the moment.
fn or_none(done: io::Result<usize>) -> io::Result<usize> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        done => done,
    }
}
