//! Thousands who look on: what each of them costs the router in memory.
//!
//! The bound is of a development build, whose futures are no smaller than a release's; `make bench-streams` has the figures of
//! one, for more of them.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use dev_services::process::resident_bytes;
use serde_json::json;
use tempfile::TempDir;

use crate::shop::{Arrangement, Shop, free_offset};

const STREAMS: usize = 2_000;
/// Those that fill pools and caches before.
const WARM: usize = 50;
/// What one stream may take, in bytes.
const SSE_MAX: u64 = 12 * 1024;
const WEBSOCKET_MAX: u64 = 24 * 1024;
const QUERY: &str = "subscription { myOrderEvents { cursor kind orderId version status at } }";
/// After which nothing is done any more for those that came.
const SETTLED: Duration = Duration::from_secs(3);

type Open = fn(u16, &str) -> TcpStream;

/// Meant against buffers that stay, and against futures that hold what only their beginning needs. Seen red with a write buffer
/// of 64 KiB that is kept between two events.
#[tokio::test]
async fn an_event_stream_takes_little_memory() {
    takes_at_most(SSE_MAX, event_stream).await;
}

/// Meant against the same, on a socket. Seen red with a read buffer of 64 KiB.
#[tokio::test]
async fn a_socket_with_a_stream_takes_little_memory() {
    takes_at_most(WEBSOCKET_MAX, socket).await;
}

/// In a shop of its own, since a router hands on what others have left to it.
async fn takes_at_most(most: u64, open: Open) {
    if resident_bytes(std::process::id()).is_none() {
        return; // No system that says.
    }
    let folder = TempDir::with_prefix("marketplace-e2e-").unwrap();
    let set = [
        "router.stream.per_caller_max=10000".to_owned(),
        "router.rate_limit.enabled=false".to_owned(),
    ];
    let shop = Shop::start_in(folder.path(), Arrangement::Processes, free_offset(), &set).await;
    let token = shop.token(1, false).await;
    let each = measure(&shop, &token, open).await;
    assert!(each <= most, "a stream takes {each} bytes");
    shop.stop().await;
}

/// Bytes of one of many streams.
async fn measure(shop: &Shop, token: &str, open: Open) -> u64 {
    let router = shop.service("router").unwrap().pid;
    let resident = || resident_bytes(router).unwrap();
    drop(several(shop, token, open, WARM).await);
    tokio::time::sleep(SETTLED).await;
    let before = resident();
    let streams = several(shop, token, open, STREAMS).await;
    tokio::time::sleep(SETTLED).await;
    let after = resident();
    drop(streams);
    after.saturating_sub(before) / STREAMS as u64
}

async fn several(shop: &Shop, token: &str, open: Open, count: usize) -> Vec<TcpStream> {
    let (port, token) = (shop.port(4000), token.to_owned());
    let opening = tokio::task::spawn_blocking(move || {
        let streams = (0..count).map(|_| open(port, &token));
        streams.collect()
    });
    opening.await.unwrap()
}

fn event_stream(port: u16, token: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let body = json!({ "query": QUERY }).to_string();
    let length = body.len();
    let ask = format!(
        "POST /graphql HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         accept: text/event-stream\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(ask.as_bytes()).unwrap();
    wait_for(&mut stream, "retry:");
    stream
}

fn socket(port: u16, token: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let upgrade = "GET /graphql HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         sec-websocket-protocol: graphql-transport-ws\r\n\r\n";
    stream.write_all(upgrade.as_bytes()).unwrap();
    wait_for(&mut stream, "\r\n\r\n");
    let authorization = format!("Bearer {token}");
    say(
        &mut stream,
        &json!({ "type": "connection_init", "payload": { "authorization": authorization } }),
    );
    wait_for(&mut stream, "connection_ack");
    let payload = json!({ "query": QUERY });
    say(
        &mut stream,
        &json!({ "type": "subscribe", "id": "1", "payload": payload }),
    );
    stream
}

/// Sends a text as a client does, masked, with a mask that changes nothing. Source: RFC 6455, 5.2.
fn say(stream: &mut TcpStream, message: &serde_json::Value) {
    let text = message.to_string();
    let length = u16::try_from(text.len()).unwrap();
    let mut frame = vec![0x81, 0x80 | 126];
    frame.extend(length.to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(text.as_bytes());
    stream.write_all(&frame).unwrap();
}

fn wait_for(stream: &mut TcpStream, mark: &str) {
    let mut heard = String::new();
    let mut bytes = [0; 1_024];
    while !heard.contains(mark) {
        let count = stream.read(&mut bytes).unwrap();
        assert!(count > 0, "it ended: {heard}");
        heard.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
}
