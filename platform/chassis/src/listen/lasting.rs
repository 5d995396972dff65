//! A response that lasts, as a stream of events does, without the library that read its request.
//!
//! The library's buffers and states are some 20 KiB for as long as a response is on its way, whatever it sends. A connection of
//! HTTP/1.1 whose response is [`Lasting`] is taken from it: from there on it is a socket, and the writer of the response, in one
//! task. Nothing comes after such a response, so the connection is closed behind it. Over HTTP/2, where others are on the
//! same connection, the writer has a task of its own.
//! Source: RFC 9112, 6.1 and 7.1 (chunks), 8 (a body without its last chunk is not whole), 9.6.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::{Body, Bytes};
use futures::{Stream, future::BoxFuture};
use http::{HeaderName, Response, header, response::Parts};
use parking_lot::Mutex;
use tokio::{net::TcpStream, sync::mpsc};

use super::{
    outlet::{Outlet, Piece},
    wire::Wire,
};
use crate::{clock::Clock, tasks::Tasks};

type Use<T> = Box<dyn FnOnce(T) -> BoxFuture<'static, ()> + Send>;

/// What a connection is used for until its end.
enum Purpose {
    /// The body of a response is written.
    Writes(Use<Outlet>),
    /// Another protocol is spoken.
    Speaks(Use<Wire>),
}

/// Who has the connection from a response on; an extension of the response, shared with its body.
#[derive(Clone)]
pub(super) struct Lasting(Arc<Mutex<Option<Purpose>>>);

/// A response whose body is written by `write`, for as long as that takes. Where it has a task of its own, that is one of
/// `tasks` with this name.
pub fn lasting<T, F>(
    mut head: Response<T>,
    tasks: &Tasks,
    name: &'static str,
    write: impl FnOnce(Outlet) -> F + Send + 'static,
) -> Response<Body>
where
    F: Future<Output = ()> + Send + 'static,
{
    let writer: Use<Outlet> = Box::new(move |outlet| Box::pin(write(outlet)));
    let lasting = Lasting::of(Purpose::Writes(writer));
    head.extensions_mut().insert(lasting.clone());
    let tasks = tasks.clone();
    let start = Box::new(move |outlet| {
        if let Some(Purpose::Writes(write)) = lasting.take() {
            let _task = tasks.spawn(name, write(outlet));
        }
    });
    head.map(|_| Body::from_stream(Pieces::Unasked(start)))
}

/// A response behind which `speak` has the connection and speaks another protocol: `101 Switching Protocols` over HTTP/1.1.
pub fn switching<T, F>(
    mut head: Response<T>,
    speak: impl FnOnce(Wire) -> F + Send + 'static,
) -> Response<Body>
where
    F: Future<Output = ()> + Send + 'static,
{
    let speaker: Use<Wire> = Box::new(move |wire| Box::pin(speak(wire)));
    let lasting = Lasting::of(Purpose::Speaks(speaker));
    head.extensions_mut().insert(lasting);
    head.map(|_| Body::empty())
}

impl Lasting {
    fn of(purpose: Purpose) -> Self {
        Self(Arc::new(Mutex::new(Some(purpose))))
    }

    fn take(&self) -> Option<Purpose> {
        self.0.lock().take()
    }
}

/// The body for a library that asks for it.
enum Pieces {
    /// Nobody has asked for the first.
    Unasked(Box<dyn FnOnce(Outlet) + Send>),
    Taken(mpsc::Receiver<Piece>),
    Breaking,
}

/// The body that was broken off.
#[derive(Debug, thiserror::Error)]
#[error("the response was broken off")]
struct BrokenOff;

impl Stream for Pieces {
    type Item = Result<Bytes, BrokenOff>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Self::Unasked(_) = *self {
            let (outlet, taken) = Outlet::of_a_body();
            if let Self::Unasked(start) = std::mem::replace(&mut *self, Self::Taken(taken)) {
                start(outlet);
            }
        }
        let Self::Taken(taken) = &mut *self else {
            return Poll::Ready(Some(Err(BrokenOff)));
        };
        match ready!(taken.poll_recv(cx)) {
            None => Poll::Ready(None),
            Some(Piece::Bytes(bytes)) => Poll::Ready(Some(Ok(bytes))),
            Some(Piece::Break) => {
                // The connection writes what it has when there is nothing more to write; at an error it throws it away.
                *self = Self::Breaking;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

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
    socket: TcpStream,
    listener: &'static str,
    response: Response<Body>,
    write_timeout: Duration,
) -> impl Future<Output = ()> + Send {
    let (mut head, body) = response.into_parts();
    let lasting = head.extensions.remove::<Lasting>();
    let used = match lasting.and_then(|lasting| lasting.take()) {
        Some(Purpose::Writes(write)) => {
            let bytes = self::head(&head, &OF_A_BODY);
            Some(write(Outlet::of_a_socket(
                socket,
                listener,
                bytes,
                write_timeout,
            )))
        }
        Some(Purpose::Speaks(speak)) => {
            let wire = Wire::new(socket, self::head(&head, &[]));
            // At once, for whoever speaks may begin by listening. Of what is left over it is told.
            let _is_written = wire.flush().is_ok();
            Some(speak(wire))
        }
        None => None,
    };
    async move {
        if let Some(used) = used {
            used.await;
        }
        // Whoever looks at the body takes the response for on its way until now.
        drop(body);
    }
}

/// How a body of any length ends with its connection.
const OF_A_BODY: [(HeaderName, &str); 2] = [
    (header::TRANSFER_ENCODING, "chunked"),
    (header::CONNECTION, "close"),
];

fn head(head: &Parts, framing: &[(HeaderName, &str)]) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {}\r\n", head.status).into_bytes();
    let date = httpdate::fmt_http_date(Clock::system().now().into());
    let mut add = |name: &HeaderName, value: &[u8]| {
        for part in [in_letters(name).as_bytes(), b": ", value, b"\r\n"] {
            text.extend_from_slice(part);
        }
    };
    add(&header::DATE, date.as_bytes());
    for (name, value) in framing {
        add(name, value.as_bytes());
    }
    let is_ours =
        |name: &HeaderName| *name == header::DATE || framing.iter().any(|(ours, _)| ours == name);
    let others = head.headers.iter();
    for (name, value) in others.filter(|(name, _)| !is_ours(name)) {
        add(name, value.as_bytes());
    }
    text.extend_from_slice(b"\r\n");
    text
}

/// A name as its standard writes it, where clients are known that look for it in no other letters. Source: RFC 6455, 1.3.
fn in_letters(name: &HeaderName) -> &str {
    match name.as_str() {
        "sec-websocket-accept" => "Sec-WebSocket-Accept",
        "sec-websocket-protocol" => "Sec-WebSocket-Protocol",
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt as _, StreamExt as _};

    use super::*;
    use crate::listen::Ending;

    /// Meant against the error right behind the last bytes.
    #[tokio::test]
    async fn the_last_bytes_are_written_before_the_body_breaks_off() {
        let (outlet, taken) = Outlet::of_a_body();
        let mut body = Pieces::Taken(taken);
        outlet.end(Bytes::from_static(b"x"), Ending::Broken).await;
        assert!(matches!(body.next().now_or_never(), Some(Some(Ok(_)))));
        assert!(body.next().now_or_never().is_none(), "time to write");
        assert!(matches!(body.next().now_or_never(), Some(Some(Err(_)))));
    }
}
