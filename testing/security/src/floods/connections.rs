//! Connections that say nothing, or little.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::stack::Stack;

/// Every port that a client may reach; the normal user asks the first.
const PORTS: [u16; 9] = [4000, 4001, 8080, 8081, 8082, 8083, 8084, 8085, 8086];

/// Holds one flood; how many of its connections are open at the end.
pub(super) async fn hold(
    stack: &Stack,
    name: &str,
    connections: usize,
    time: Duration,
) -> anyhow::Result<String> {
    let (first, drip): (&[u8], &[u8]) = match name {
        "idle" | "idle on every port" => (b"", b""),
        "slow heads" => (b"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ", b"a"),
        _ => (b"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 900000\r\n\r\n{\"query\":\"", b" "),
    };
    let deadline = Instant::now() + time;
    let ports = if name == "idle on every port" {
        &PORTS[..]
    } else {
        &PORTS[..1]
    };
    let opened = futures::stream::iter(0..connections)
        .map(|number| async move {
            let address = stack.address(ports[number % ports.len()]);
            let mut socket = TcpStream::connect(address).await.ok()?;
            socket.write_all(first).await.ok()?;
            Some(socket)
        })
        .buffer_unordered(64);
    let mut sockets: Vec<TcpStream> = opened.filter_map(async |it| it).collect().await;
    while Instant::now() < deadline {
        sleep(Duration::from_secs(1)).await;
        if !drip.is_empty() {
            for socket in &mut sockets {
                // A connection that was closed is not counted in the end.
                let _alive = timeout(Duration::from_millis(5), socket.write_all(drip))
                    .await
                    .is_ok();
            }
        }
    }
    let mut open = 0;
    for mut socket in sockets {
        let mut byte = [0; 1];
        // Silence is an open connection; an answer or the end is not.
        open += usize::from(
            timeout(Duration::from_millis(1), socket.read(&mut byte))
                .await
                .is_err(),
        );
    }
    Ok(format!(
        "{open} of {connections} connections open at the end"
    ))
}
