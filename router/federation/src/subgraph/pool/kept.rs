//! Connections over HTTP/1.1 to one subgraph: one for each fetch at a time, kept for the next.
//!
//! Invariant: no connection is kept longer than it may be idle, whether or not anybody asks.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Uri, response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::connect::HttpConnector;
use parking_lot::Mutex;
use tokio::time::Instant;
use tower::ServiceExt as _;

use super::{cut, driven::Driven};
use crate::subgraph::error::FetchError;

/// A client of one subgraph.
pub(super) struct Kept {
    address: Uri,
    /// What a request names in its first line and in `Host`. Source: RFC 9112, 3.2.
    target: Uri,
    host: HeaderValue,
    connector: HttpConnector,
    idle: Arc<Idle>,
}

/// The connections that nobody uses, the one that was used last at the end.
struct Idle {
    timeout: Duration,
    connections: Mutex<VecDeque<(Driven, Instant)>>,
    /// Whether a task closes those that are idle for too long.
    is_watched: AtomicBool,
}

impl Kept {
    /// A client of an address that keeps connections for so long; `None` for an address without a host.
    pub(super) fn new(
        address: Uri,
        connector: HttpConnector,
        idle_timeout: Duration,
    ) -> Option<Self> {
        let host = match (address.host()?, address.port_u16()) {
            (host, None | Some(80)) => HeaderValue::try_from(host),
            (host, Some(port)) => HeaderValue::try_from(format!("{host}:{port}")),
        };
        let path = address.path_and_query().cloned();
        Some(Self {
            host: host.ok()?,
            target: path
                .unwrap_or_else(|| PathAndQuery::from_static("/"))
                .into(),
            address,
            connector,
            idle: Arc::new(Idle {
                timeout: idle_timeout,
                connections: Mutex::default(),
                is_watched: AtomicBool::new(false),
            }),
        })
    }

    /// Sends a request, on a connection that is there or a new one, and reads the whole response, of at most `bytes_max`.
    ///
    /// # Errors
    /// [`FetchError::Connect`], [`FetchError::Lost`] and [`FetchError::TooLong`].
    ///
    /// # Cancel safety
    /// When dropped, it closes its connection.
    pub(super) async fn fetch(
        &self,
        mut request: Request<Full<Bytes>>,
        bytes_max: usize,
    ) -> Result<(response::Parts, Bytes), FetchError> {
        *request.uri_mut() = self.target.clone();
        let host = request.headers_mut().entry(HOST);
        host.or_insert_with(|| self.host.clone());
        let (mut connection, response) = loop {
            let (mut connection, is_new) = match self.idle.take() {
                Some(connection) => (connection, false),
                None => (self.connect().await?, true),
            };
            match connection.send(request).await {
                Ok(response) => break (connection, response),
                // The other side closed what was idle: nothing was sent.
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) if !is_new => request = unsent,
                    _ => return Err(FetchError::Lost(failed.error().to_string())),
                },
            }
        };
        let (head, body) = response.into_parts();
        let body = Limited::new(body, bytes_max).collect();
        let body = connection.drive(body).await;
        let body = body.map_err(|error| cut(&*error, bytes_max))?;
        if connection.is_ready() {
            Idle::keep(&self.idle, connection);
        }
        Ok((head, body.to_bytes()))
    }

    async fn connect(&self) -> Result<Driven, FetchError> {
        let stream = self.connector.clone().oneshot(self.address.clone()).await;
        let stream = stream.map_err(|error| FetchError::Connect(error.to_string()))?;
        let connection = Driven::new(stream).await;
        connection.map_err(|error| FetchError::Connect(error.to_string()))
    }
}

impl Idle {
    /// The connection that was used last; where that is too old, all are.
    fn take(&self) -> Option<Driven> {
        let (connection, since) = self.connections.lock().pop_back()?;
        (since.elapsed() < self.timeout).then_some(connection)
    }

    fn keep(idle: &Arc<Self>, connection: Driven) {
        let since = Instant::now();
        idle.connections.lock().push_back((connection, since));
        if !idle.is_watched.swap(true, Ordering::AcqRel) {
            #[expect(
                clippy::disallowed_methods,
                reason = "it ends when no connection is kept any more"
            )]
            tokio::spawn(idle.clone().watch());
        }
    }

    /// Closes what is idle for too long, until nothing is kept.
    async fn watch(self: Arc<Self>) {
        loop {
            tokio::time::sleep(self.timeout).await;
            let mut connections = self.connections.lock();
            let is_over = |since: &Instant| since.elapsed() >= self.timeout;
            let over = connections.partition_point(|(_, since)| is_over(since));
            let closed = connections.drain(..over).collect::<Vec<_>>();
            let is_empty = connections.is_empty();
            if is_empty {
                self.is_watched.store(false, Ordering::Release);
            }
            drop(connections);
            drop(closed);
            if is_empty {
                return;
            }
        }
    }
}

#[cfg(test)]
#[path = "kept_tests.rs"]
mod tests;
