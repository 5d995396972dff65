//! Accepts connections and serves HTTP on each, until the listener is told to stop.

use std::{future::poll_fn, io, sync::Arc, task::Poll, time::Duration};

use axum::BoxError;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    BodyTimeout, closing,
    config::{self, Config},
    connection::Connection,
    host::Hosts,
    lasting, metrics,
    registry::{Bounds, Registry, Slot},
    request::{Handler, Requests, Rules},
    socket::{Held, Socket},
};
use crate::{health::Health, tasks::Tasks};

/// How long a connection may stay open after the shutdown signal; less than the process itself waits for its tasks.
const LINGER: Duration = Duration::from_secs(3);
/// How long a connection that has to go may take to say goodbye.
const FAREWELL: Duration = Duration::from_secs(1);
/// The pause after an accept that failed for want of something that others hold.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(50);
/// Connections of a listener for operators: few, and kept apart from the clients'.
const RESERVED_MAX: usize = 128;

/// Streams that one connection of HTTP/2 may have open; more wait at the client.
const STREAMS: u32 = 256;
/// Streams that a client of HTTP/2 may have given up before they were looked at. An overload makes many, and the
/// library's 20 cost all other calls of a connection.
const GIVEN_UP_STREAMS: usize = 1_024;
/// How often a silent connection of HTTP/2 with streams is asked whether its client is still there, and how long the
/// reply may take.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// A listener that is about to serve.
#[derive(Debug)]
pub struct Server {
    name: &'static str,
    listener: TcpListener,
    config: Config,
    stop: CancellationToken,
    linger: Duration,
    max: usize,
    is_reserved: bool,
    allowed_hosts: Vec<String>,
    is_grpc: bool,
    late: fn() -> BoxError,
}

impl Server {
    /// A server with the process's bounds, which stops with `tasks`. `name` is its label in logs and metrics.
    #[must_use]
    pub fn new(name: &'static str, listener: TcpListener, tasks: &Tasks) -> Self {
        let config::Installed {
            config,
            allowed_hosts,
        } = config::installed();
        Self {
            name,
            listener,
            max: config.per_listener_max,
            config,
            stop: tasks.token(),
            linger: LINGER,
            is_reserved: false,
            allowed_hosts,
            is_grpc: false,
            late: || BodyTimeout.into(),
        }
    }

    /// Other bounds than the process's.
    #[must_use]
    pub fn with_config(mut self, config: Config) -> Self {
        self.max = config.per_listener_max;
        self.config = config;
        self
    }

    /// At most `max` connections, and `timeout` for a client that takes nothing.
    #[must_use]
    pub fn bounded(mut self, max: usize, timeout: Duration) -> Self {
        self.max = max;
        self.config.write_timeout = timeout;
        self
    }

    /// Stops with `stop`; what is in flight then has `linger` to end.
    #[must_use]
    pub fn until(mut self, stop: CancellationToken, linger: Duration) -> Self {
        self.stop = stop;
        self.linger = linger;
        self
    }

    /// For operators, who get in when clients hold all places of the process.
    #[must_use]
    pub const fn reserved(mut self) -> Self {
        self.is_reserved = true;
        self.max = RESERVED_MAX;
        self
    }

    /// For gRPC: HTTP/2 alone, which browsers do not speak without TLS, so any host will do. `late` is the error of a
    /// message that took too long.
    #[must_use]
    pub fn grpc(mut self, late: fn() -> BoxError) -> Self {
        self.is_grpc = true;
        self.late = late;
        self
    }

    /// Serves routes, or what stands before them; the last response of each connection closes it while the process drains.
    pub fn serve(self, routes: impl Handler, tasks: &Tasks, health: &Health) {
        self.serve_service(closing(routes, health), tasks);
    }

    /// Serves until the signal to stop; requests in flight end first.
    pub fn serve_service(self, service: impl Handler, tasks: &Tasks) {
        metrics::announce(self.name);
        let name = self.name;
        tasks.spawn(name, self.run(service));
    }

    async fn run(self, service: impl Handler) {
        let address = self.listener.local_addr();
        let hosts = address.map(|address| Hosts::new(address, &self.allowed_hosts));
        let rules = Rules {
            hosts: hosts.ok().filter(|_| !self.is_grpc),
            body_timeout: self.config.body_timeout,
            late: self.late,
        };
        let registry = Registry::process();
        let bounds = Bounds {
            listener: registry.new_listener(),
            name: self.name,
            max: self.max,
            per_address: self.config.per_address_max,
            is_reserved: self.is_reserved,
        };
        let (connections, cut) = (TaskTracker::new(), CancellationToken::new());
        let served = Served {
            protocol: protocol(&self.config, self.is_grpc),
            config: Arc::new(self.config),
            rules: Arc::new(rules),
            stop: self.stop.clone(),
            cut: cut.clone(),
            service,
        };
        while let Some(accepted) = self.stop.run_until_cancelled(self.listener.accept()).await {
            match accepted {
                Ok((stream, peer)) => match registry.admit(&bounds, peer) {
                    Ok((connection, slot)) => {
                        connections.spawn(served.connection(stream, connection, slot));
                    }
                    Err(reason) => {
                        metrics::cut(self.name, reason);
                        refuse(&stream, self.is_grpc);
                    }
                },
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    shortage(self.name, &error, registry);
                    tokio::time::sleep(SHORTAGE_PAUSE).await;
                }
            }
        }
        drop(self.listener);
        connections.close();
        if tokio::time::timeout(self.linger, connections.wait())
            .await
            .is_err()
        {
            tracing::warn!(server = self.name, "connections cut after the drain");
            cut.cancel();
            connections.wait().await;
        }
    }
}

/// What every connection of a listener shares.
struct Served<S> {
    protocol: auto::Builder<TokioExecutor>,
    config: Arc<Config>,
    rules: Arc<Rules>,
    stop: CancellationToken,
    /// Ends what did not end in time.
    cut: CancellationToken,
    service: S,
}

impl<S: Handler> Served<S> {
    /// Serves one connection to its end.
    fn connection(
        &self,
        stream: TcpStream,
        connection: Arc<Connection>,
        slot: Slot,
    ) -> impl Future<Output = ()> + Send + use<S> {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "set_nodelay");
        }
        let requests = Requests {
            service: self.service.clone(),
            connection: Arc::clone(&connection),
            rules: Arc::clone(&self.rules),
        };
        let shared = Arc::new(Mutex::new(Held {
            stream,
            _slot: slot,
        }));
        let socket = Socket::new(
            Arc::clone(&shared),
            Arc::clone(&connection),
            Arc::clone(&self.config),
        );
        let (stop, cut) = (self.stop.clone(), self.cut.clone());
        let (listener, write_timeout) = (connection.listener, self.config.write_timeout);
        let speaking = speak(self.protocol.clone(), socket, requests, connection, stop);
        // What reading requests takes is not held while the last response lasts.
        let speaking = Box::pin(speaking);
        async move {
            let lasting = cut.run_until_cancelled(speaking).await.flatten();
            let held = Arc::into_inner(shared).map(Mutex::into_inner);
            if let Some((response, Held { stream, _slot })) = lasting.zip(held) {
                let writing = lasting::write(stream, listener, response, write_timeout);
                cut.run_until_cancelled(Box::pin(writing)).await;
            }
        }
    }
}

/// Reads requests and answers them until the connection ends; gives the response that lasts, if it is to end with one.
async fn speak(
    protocol: auto::Builder<TokioExecutor>,
    socket: Socket,
    requests: Requests<impl Handler>,
    connection: Arc<Connection>,
    stop: CancellationToken,
) -> Option<axum::response::Response> {
    let served = protocol.serve_connection(TokioIo::new(socket), requests);
    let mut served = std::pin::pin!(served);
    // What a connection fails with is the client's doing, and the library's word for it no operator's concern.
    let mut is_closing = false;
    loop {
        let spoken = poll_fn(|cx| match served.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(None),
            // Only what was polled here leaves a response.
            Poll::Pending => connection
                .hand_over
                .take()
                .map_or(Poll::Pending, |response| Poll::Ready(Some(response))),
        });
        tokio::select! {
            lasting = spoken => return lasting,
            () = stop.cancelled(), if !is_closing => {
                is_closing = true;
                served.as_mut().graceful_shutdown();
            }
            () = connection.closing() => {
                if !connection.is_http2() && !connection.is_busy() {
                    return None;
                }
                is_closing = true;
                served.as_mut().graceful_shutdown();
                if !connection.is_busy() {
                    let _is_done = tokio::time::timeout(FAREWELL, served.as_mut()).await;
                    return None;
                }
            }
        }
    }
}

fn protocol(config: &Config, is_grpc: bool) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    if is_grpc {
        builder = builder.http2_only();
    }
    let bytes = usize::try_from(config.header_bytes_max).unwrap_or(usize::MAX);
    builder
        .http1()
        .timer(TokioTimer::new())
        // The socket has the deadlines of all states; this one knows of heads alone.
        .header_read_timeout(None)
        .max_buf_size(bytes);
    builder
        .http2()
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        .max_header_list_size(config.header_bytes_max)
        .max_concurrent_streams(STREAMS)
        .max_pending_accept_reset_streams(GIVEN_UP_STREAMS)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}

/// Tells a client that there is no place. It may not read it, so it is not waited for.
fn refuse(stream: &TcpStream, is_grpc: bool) {
    const FULL: &[u8] =
        b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n\
        content-length: 0\r\n\r\n";
    if !is_grpc {
        let _is_written = stream.try_write(FULL).is_ok();
    }
}

/// Whether an accept failed for a reason that the next one does not have.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// Out of file descriptors, or of memory for one more socket. The log leaves out what repeats within a second.
fn shortage(listener: &'static str, error: &io::Error, registry: &Registry) {
    metrics::accept_failed();
    tracing::error!(
        server = listener,
        %error,
        "no connection can be accepted; idle ones are closed. Raise the limit of open files (ulimit -n)"
    );
    registry.shed();
}
