//! A response that lasts, as a stream of events does, without the library that read its request.
//!
//! The library's buffers and states are some 20 KiB for as long as a response is on its way, whatever it sends. A connection of
//! HTTP/1.1 whose response is marked as [`Lasting`] is taken from it: from there on it is a socket and what is being written.
//! Nothing comes after such a response, so the connection is closed behind it.
//! Source: RFC 9112, 6.1 and 7.1 (chunks), 8 (a body without its last chunk is not whole), 9.6.

use std::{io, time::Duration};

use axum::body::{Body, Bytes};
use futures::FutureExt as _;
use http::{HeaderName, Response, header, response::Parts};
use http_body_util::BodyExt as _;
use hyper::body::Frame;
use parking_lot::Mutex;
use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::timeout};

use super::metrics::{self, Reason};
use crate::clock::Clock;

/// What is gathered at most before it is written.
const GATHERED: usize = 16 * 1024;
/// What a client may send behind its request; it is read by nobody.
const UNREAD_BYTES_MAX: usize = 64 * 1024;
/// The end of a body that is whole.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Marks a response, as an extension, whose body goes on for long.
#[derive(Debug, Clone, Copy)]
pub struct Lasting;

/// The response for which a connection is taken from the library.
#[derive(Debug, Default)]
pub(super) struct HandOver(Mutex<Option<Box<Response<Body>>>>);

impl HandOver {
    /// Leaves the response for the connection's task.
    pub(super) fn leave(&self, response: Response<Body>) {
        *self.0.lock() = Some(Box::new(response));
    }

    /// Takes it.
    pub(super) fn take(&self) -> Option<Response<Body>> {
        self.0.lock().take().map(|response| *response)
    }
}

/// Writes the response and closes the connection.
pub(super) fn write(
    mut socket: TcpStream,
    listener: &'static str,
    response: Response<Body>,
    write_timeout: Duration,
) -> impl Future<Output = ()> + Send {
    let (head, mut body) = response.into_parts();
    let mut bytes = self::head(&head);
    async move {
        let mut is_over = false;
        loop {
            // What is there goes out at once.
            while !is_over && bytes.len() < GATHERED {
                let Some(next) = body.frame().now_or_never() else {
                    break;
                };
                is_over = take(next, &mut bytes);
            }
            match timeout(write_timeout, socket.write_all(&bytes)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return,
                Err(_) => return metrics::cut(listener, Reason::WriteTimeout),
            }
            if is_over {
                break;
            }
            // No buffer is kept while there is nothing to say.
            bytes = Vec::new();
            is_over = tokio::select! {
                next = body.frame() => take(next, &mut bytes),
                () = has_left(&socket) => return,
            };
        }
        // A client that has gone misses the end.
        drop(timeout(write_timeout, socket.shutdown()).await);
    }
}

/// Takes the next of a body in; whether it was the last. One that breaks off has no last chunk, so no client takes it for whole.
fn take(next: Option<Result<Frame<Bytes>, axum::Error>>, bytes: &mut Vec<u8>) -> bool {
    match next {
        None => {
            bytes.extend_from_slice(LAST_CHUNK);
            true
        }
        Some(Err(_)) => true,
        Some(Ok(frame)) => {
            // An empty chunk would be the last.
            if let Some(data) = frame.data_ref().filter(|data| !data.is_empty()) {
                bytes.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
                bytes.extend_from_slice(data);
                bytes.extend_from_slice(b"\r\n");
            }
            false
        }
    }
}

/// Ends when the client closes its side, or sends more than anybody would behind a request that lasts.
async fn has_left(socket: &TcpStream) {
    let mut unread = 0;
    while unread < UNREAD_BYTES_MAX && socket.readable().await.is_ok() {
        match socket.try_read(&mut [0; 512]) {
            Ok(0) => return,
            Ok(read) => unread += read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

fn head(head: &Parts) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {}\r\n", head.status).into_bytes();
    let date = httpdate::fmt_http_date(Clock::system().now().into());
    let own = [
        (header::DATE, date.as_str()),
        (header::TRANSFER_ENCODING, "chunked"),
        (header::CONNECTION, "close"),
    ];
    let mut add = |name: &HeaderName, value: &[u8]| {
        for part in [name.as_str().as_bytes(), b": ", value, b"\r\n"] {
            text.extend_from_slice(part);
        }
    };
    for (name, value) in &own {
        add(name, value.as_bytes());
    }
    let others = head.headers.iter();
    for (name, value) in others.filter(|(name, _)| own.iter().all(|(ours, _)| ours != *name)) {
        add(name, value.as_bytes());
    }
    text.extend_from_slice(b"\r\n");
    text
}
