//! A GET over loopback, small enough to need no HTTP client.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Status and body of `GET path`, or `None` without a response within 2 s. The body is cut at 16 KiB.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    timeout(Duration::from_secs(2), ask(address, path))
        .await
        .ok()
        .flatten()
}

async fn ask(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut bytes = Vec::new();
    stream.take(16 * 1024).read_to_end(&mut bytes).await.ok()?;
    let response = String::from_utf8_lossy(&bytes).into_owned();
    let status = response.split_whitespace().nth(1)?.parse().ok()?;
    let body = response
        .split_once("\r\n\r\n")
        .map(|(_, body)| body.to_owned())
        .unwrap_or_default();
    Some((status, body))
}
