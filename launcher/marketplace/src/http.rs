//! A request over loopback, small enough to need no HTTP client.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The longest answer.
const LONGEST: u64 = 16 * 1024 * 1024;

/// Status and body of `GET path`, or `None` without a response within 2 s. The body is cut at 16 MiB.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let head = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n");
    ask(address, &format!("{head}connection: close\r\n\r\n")).await
}

/// The same with one more header.
pub(crate) async fn get_with(
    address: SocketAddr,
    path: &str,
    (name, value): (&str, &str),
) -> Option<(u16, String)> {
    let head = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n{name}: {value}\r\n");
    ask(address, &format!("{head}connection: close\r\n\r\n")).await
}

/// Status and body of `PUT path` with a body of JSON and one more header; else as [`get`].
pub(crate) async fn put(
    address: SocketAddr,
    path: &str,
    (name, value): (&str, &str),
    body: &str,
) -> Option<(u16, String)> {
    let length = body.len();
    let head = format!("PUT {path} HTTP/1.1\r\nhost: {address}\r\n{name}: {value}\r\n");
    let about = format!("content-type: application/json\r\ncontent-length: {length}\r\n");
    ask(
        address,
        &format!("{head}{about}connection: close\r\n\r\n{body}"),
    )
    .await
}

async fn ask(address: SocketAddr, request: &str) -> Option<(u16, String)> {
    let asked = timeout(Duration::from_secs(2), exchange(address, request));
    asked.await.ok().flatten()
}

async fn exchange(address: SocketAddr, request: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut bytes = Vec::new();
    stream.take(LONGEST).read_to_end(&mut bytes).await.ok()?;
    let response = String::from_utf8_lossy(&bytes).into_owned();
    let status = response.split_whitespace().nth(1)?.parse().ok()?;
    let body = response
        .split_once("\r\n\r\n")
        .map(|(_, body)| body.to_owned())
        .unwrap_or_default();
    Some((status, body))
}
