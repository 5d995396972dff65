//! What stands between router and subgraphs, and counts.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use anyhow::Context as _;
use axum::{
    body::Bytes,
    extract::State,
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use reqwest::Client;
use tokio::{net::TcpListener, task::JoinHandle};

/// A proxy that passes every request on to one server.
#[derive(Debug)]
pub(crate) struct Proxy {
    /// Where it listens.
    pub(crate) url: String,
    /// Where it passes requests on to.
    pub(crate) server: String,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Seen {
    server: String,
    client: Client,
    requests: AtomicUsize,
}

impl Proxy {
    /// Listens on a port of this machine.
    ///
    /// # Errors
    /// When the port is taken.
    pub(crate) async fn start(port: u16, server: String) -> anyhow::Result<Self> {
        let seen = Arc::new(Seen {
            server: server.clone(),
            client: Client::new(),
            requests: AtomicUsize::new(0),
        });
        let listener = TcpListener::bind(("127.0.0.1", port)).await;
        let listener = listener.with_context(|| format!("port {port}"))?;
        let routes = axum::Router::new()
            .fallback(pass_on)
            .with_state(seen.clone());
        #[expect(
            clippy::disallowed_methods,
            reason = "ends with the proxy; nothing is drained"
        )]
        let task = tokio::spawn(async move {
            axum::serve(listener, routes).await.ok();
        });
        Ok(Self {
            url: format!("http://127.0.0.1:{port}"),
            server,
            seen,
            task,
        })
    }

    /// The requests since the last call.
    pub(crate) fn take_requests(&self) -> usize {
        self.seen.requests.swap(0, Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass_on(State(seen): State<Arc<Seen>>, uri: Uri, body: Bytes) -> Response {
    seen.requests.fetch_add(1, Ordering::Relaxed);
    let json = "application/json";
    let request = seen.client.post(format!("{}{}", seen.server, uri.path()));
    let request = request.header(header::CONTENT_TYPE, json).body(body);
    let response = async {
        let response = request.send().await?;
        Ok::<_, reqwest::Error>((response.status(), response.bytes().await?))
    };
    match response.await {
        Ok((status, bytes)) => (status, [(header::CONTENT_TYPE, json)], bytes).into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}
