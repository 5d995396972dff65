//! The reading half of a socket.
//!
//! Invariant: what reading takes, the library's state and its buffer, is there only while part of a message is.

use std::io::{self, Read, Write};

use chassis::listen::Wire;
use tungstenite::{
    Error, Message,
    error::CapacityError,
    protocol::{Role, WebSocketConfig, WebSocketContext},
};

use super::close::Close;

/// What is read at once, in bytes: most messages are shorter, and a longer one makes the buffer grow.
const BUFFER: usize = 512;
/// While more than this waits for the client, in bytes, nothing is read from it: what it sends wants answers, pongs at least.
const UNSENT_MAX: usize = 64 * 1024;

/// Reads messages.
#[derive(Debug)]
pub(super) struct Reader {
    /// The longest message, in bytes.
    limit: usize,
    /// While part of a message may have been read.
    reading: Option<Box<Reading>>,
}

#[derive(Debug)]
struct Reading {
    context: WebSocketContext,
    /// Bytes that came, and those of them that were whole messages, if each came in one frame. Where they are equal there is
    /// no part of another.
    came: usize,
    whole: usize,
}

impl Reader {
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            limit,
            reading: None,
        }
    }

    /// Waits for a message. Pings, and the close of the client, are answered by themselves.
    ///
    /// # Errors
    /// Why the socket is to be closed.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(super) async fn next(&mut self, wire: &Wire) -> Result<Message, Close> {
        // A client that sends without a pause shares its thread with others.
        tokio::task::coop::consume_budget().await;
        loop {
            if self.reading.is_some()
                && let Some(read) = self.read(wire)
            {
                return read.map_err(|error| failure(&error));
            }
            if wire.unsent() > UNSENT_MAX {
                wire.taken().await.map_err(|_| Close::Gone)?;
            }
            wire.readable().await.map_err(|_| Close::Gone)?;
            self.begin();
        }
    }

    fn begin(&mut self) {
        let limit = Some(self.limit);
        self.reading.get_or_insert_with(|| {
            let config = WebSocketConfig::default()
                .read_buffer_size(BUFFER)
                .write_buffer_size(0)
                .max_message_size(limit)
                .max_frame_size(limit);
            Box::new(Reading {
                context: WebSocketContext::new(Role::Server, Some(config)),
                came: 0,
                whole: 0,
            })
        });
    }

    /// The next message of those that are there.
    fn read(&mut self, wire: &Wire) -> Option<Result<Message, Error>> {
        let reading = self.reading.as_deref_mut()?;
        let mut stream = Stream {
            wire,
            came: &mut reading.came,
        };
        match reading.context.read(&mut stream) {
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                if reading.came == reading.whole {
                    self.reading = None;
                }
                None
            }
            Ok(Message::Close(frame)) => {
                // The answer goes out with what is read next, and nothing is.
                let answered = reading.context.flush(&mut stream);
                Some(answered.map(|()| Message::Close(frame)))
            }
            read => {
                reading.whole += read.as_ref().map_or(0, bytes_of);
                Some(read)
            }
        }
    }
}

/// The bytes of a client's message that comes in one frame, with the shortest length. Source: RFC 6455, 5.2.
fn bytes_of(message: &Message) -> usize {
    const MASK: usize = 4;
    let length = message.len();
    let of_length = match length {
        0..=125 => 0,
        126..=0xFFFF => 2,
        _ => 8,
    };
    2 + of_length + MASK + length
}

/// The socket as the library wants it: what it writes, it always may.
struct Stream<'a> {
    wire: &'a Wire,
    came: &'a mut usize,
}

impl Read for Stream<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.wire.try_read(bytes)?;
        *self.came += read;
        Ok(read)
    }
}

impl Write for Stream<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.wire.put([bytes]).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A message over the limit is the client's fault; anything else that breaks the socket leaves nobody to tell.
const fn failure(error: &Error) -> Close {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => Close::TooBig,
        _ => Close::Gone,
    }
}
