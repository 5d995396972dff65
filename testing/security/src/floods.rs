//! Floods held beside a normal user: what the user sees must stay what it was.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use anyhow::ensure;
use futures::StreamExt as _;
use hdrhistogram::Histogram;
use reqwest::header;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::{output::print, processor, stack::Stack};

/// Between two requests of the normal user.
const PAUSE: Duration = Duration::from_millis(20);
/// How long the normal user is watched alone.
const ALONE: Duration = Duration::from_secs(10);
/// The p99 under a flood may be this many times the p99 alone.
const MAX_RATIO: f64 = 2.0;
/// Below this, a ratio says more about the machine than about the flood.
const FLOOR_MS: f64 = 25.0;

/// The floods by name.
const FLOODS: [&str; 5] = [
    "idle",
    "idle on every port",
    "slow heads",
    "slow bodies",
    "unread replays",
];

/// Every port that a client may reach; the normal user asks the first.
const PORTS: [u16; 9] = [4000, 4001, 8080, 8081, 8082, 8083, 8084, 8085, 8086];

/// Holds the floods whose name contains `only`, each for `time` with so many connections.
///
/// # Errors
/// When the user's p99 more than doubled, or a request of the user failed.
pub(crate) async fn run(
    stack: &Stack,
    time: Duration,
    connections: usize,
    only: &str,
) -> anyhow::Result<()> {
    let mut faults = Vec::new();
    print(
        "| flood | alone p50 / p99 ms | under it p50 / p99 ms | failed | open at the end | MiB before / after |\n|---|---|---|---:|---:|---|",
    )?;
    for name in FLOODS.iter().filter(|name| name.contains(only)) {
        let alone = user(stack, Some(ALONE), &AtomicBool::new(false)).await?;
        let memory = || stack.services().iter().map(processor::memory).sum::<u64>();
        let (before, ended) = (memory(), AtomicBool::new(false));
        let flood = async {
            let open = hold(stack, name, connections, time).await;
            ended.store(true, Ordering::Relaxed);
            open
        };
        let (open, under) = tokio::join!(flood, user(stack, None, &ended));
        let (open, under) = (open?, under?);
        print(&format!(
            "| {name} | {:.1} / {:.1} | {:.1} / {:.1} | {} | {open} of {connections} | {before} / {} |",
            alone.at(0.5),
            alone.at(0.99),
            under.at(0.5),
            under.at(0.99),
            under.failed,
            memory(),
        ))?;
        if under.failed > 0 || under.at(0.99) > (alone.at(0.99) * MAX_RATIO).max(FLOOR_MS) {
            faults.push(format!("{name}: the normal user was hurt"));
        }
        sleep(Duration::from_secs(2)).await;
    }
    stack.check_processes()?;
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

/// What the normal user saw, in milliseconds.
struct Seen {
    times: Histogram<u64>,
    failed: u64,
}

impl Seen {
    #[expect(clippy::cast_precision_loss, reason = "microseconds of seconds")]
    fn at(&self, quantile: f64) -> f64 {
        self.times.value_at_quantile(quantile) as f64 / 1_000.0
    }
}

/// Asks again and again, on new connections every time, until `span` is over or `ended`.
async fn user(stack: &Stack, span: Option<Duration>, ended: &AtomicBool) -> anyhow::Result<Seen> {
    let token = stack.token(8_001, false).await?;
    let query = json!({"query": "{ me { id cart { itemCount } } product(sku: \"1076963\") { sku stock { available } } }"});
    let mut seen = Seen {
        times: Histogram::new(3)?,
        failed: 0,
    };
    let started = Instant::now();
    while !ended.load(Ordering::Relaxed) && span.is_none_or(|span| started.elapsed() < span) {
        let asked = Instant::now();
        let request = stack
            .http
            .post(format!("{}/graphql", stack.url(4000)))
            .json(&query);
        let request = request
            .bearer_auth(&token)
            .header(header::CONNECTION, "close");
        let answer = timeout(Duration::from_secs(5), request.send()).await;
        let is_served = matches!(answer, Ok(Ok(answer)) if answer.status().is_success());
        seen.failed += u64::from(!is_served);
        let micros = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
        seen.times.record(micros)?;
        sleep(PAUSE).await;
    }
    Ok(seen)
}

/// Holds one flood; how many of its connections are open at the end.
async fn hold(
    stack: &Stack,
    name: &str,
    connections: usize,
    time: Duration,
) -> anyhow::Result<usize> {
    if name == "unread replays" {
        return unread_replays(stack, time).await;
    }
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
    Ok(open)
}

/// Streams that replay from the beginning and are never read.
async fn unread_replays(stack: &Stack, time: Duration) -> anyhow::Result<usize> {
    let token = stack.token(8_002, false).await?;
    let cursor = json!({"query": "{ orderEventsCursor }"});
    let graphql = format!("{}/graphql", stack.url(4000));
    let request = stack.http.post(&graphql).json(&cursor).bearer_auth(&token);
    let answer: serde_json::Value = request.send().await?.json().await?;
    let cursor = answer["data"]["orderEventsCursor"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    for _ in 0..200 {
        let create = json!({"query": "mutation { createOrder(input: {lines: [{sku: \"139275865\", count: 1}]}) { order { id } } }"});
        stack
            .http
            .post(&graphql)
            .json(&create)
            .bearer_auth(&token)
            .send()
            .await?;
    }
    let query = format!(
        "subscription {{ myOrderEvents(after: \"{cursor}\") {{ orderId order {{ lines {{ product {{ name }} }} }} }} }}"
    );
    let body = json!({"query": query}).to_string();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
        Accept: text/event-stream\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut held = Vec::new();
    for _ in 0..150 {
        let mut socket = TcpStream::connect(stack.address(4000)).await?;
        socket.write_all(head.as_bytes()).await?;
        held.push(socket);
    }
    sleep(time).await;
    Ok(held.len())
}
