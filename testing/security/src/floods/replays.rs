//! Streams that begin far back.

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use futures::future::join_all;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt as _,
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::stack::Stack;

/// How a frame of an event begins.
const NEXT: &str = "event: next";
const USER: i64 = 8_002;
const ORDERS: usize = 150;
/// Each order has two.
const EVENTS: usize = 2 * ORDERS;
/// Streams that are open and not read.
const UNREAD: usize = 150;
/// Readers that come back from the beginning again and again.
const READERS: usize = 64;
/// How long a reader waits for its next bytes; it comes back then.
const PATIENCE: Duration = Duration::from_secs(5);
/// A refused reader comes back after this time, whatever it is told.
const PAUSE: Duration = Duration::from_millis(50);

/// Somebody with events, and a cursor from before them.
pub(super) struct Shopper {
    token: String,
    cursor: String,
}

impl Shopper {
    /// Makes the events.
    ///
    /// # Errors
    /// When there is no cursor, or an order was not made.
    pub(super) async fn with_events(stack: &Stack) -> anyhow::Result<Self> {
        let token = stack.token(USER, false).await?;
        let cursor = json!({"query": "{ orderEventsCursor }"});
        let answer: Value = graphql(stack, &token, &cursor).send().await?.json().await?;
        let cursor = answer["data"]["orderEventsCursor"].as_str();
        let cursor = cursor.with_context(|| format!("no cursor: {answer}"))?;
        let cursor = cursor.to_owned();
        let order = format!("{}/order/create", stack.url(8084));
        // Over REST, where no customer's limits count.
        let body = json!({"userId": USER, "items": [{"sku": 139_275_865, "count": 1}]});
        for _ in 0..ORDERS {
            let answer = stack.http.post(&order).json(&body).send().await?;
            let status = answer.status();
            // One that is short of stock has failed, and two events as well.
            let is_made = status == StatusCode::OK || status == StatusCode::BAD_REQUEST;
            ensure!(is_made, "no order: {status}");
        }
        Ok(Self { token, cursor })
    }

    fn body(&self) -> Value {
        let cursor = &self.cursor;
        let fields = "orderId order { lines { product { name } } }";
        let query = format!("subscription {{ myOrderEvents(after: \"{cursor}\") {{ {fields} }} }}");
        json!({"query": query})
    }

    /// Opens streams and reads none of them.
    ///
    /// # Errors
    /// When one cannot be opened.
    pub(super) async fn unread(&self, stack: &Stack, time: Duration) -> anyhow::Result<String> {
        let body = self.body().to_string();
        let head = format!(
            "POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
            Accept: text/event-stream\r\nContent-Length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
        let mut held = Vec::new();
        for _ in 0..UNREAD {
            let mut socket = TcpStream::connect(stack.address(4000)).await?;
            socket.write_all(head.as_bytes()).await?;
            held.push(socket);
        }
        sleep(time).await;
        Ok(format!("{} streams that nobody reads", held.len()))
    }

    /// Reads all events from the cursor on, again and again, in many places at once.
    ///
    /// # Errors
    /// When no reader read anything.
    pub(super) async fn again(&self, stack: &Stack, time: Duration) -> anyhow::Result<String> {
        let ends_at = Instant::now() + time;
        let seen = Seen::default();
        let reader = async || {
            while Instant::now() < ends_at {
                let events = self.replay(stack, ends_at).await;
                seen.events.fetch_add(events, Relaxed);
                if events < EVENTS {
                    seen.cut.fetch_add(1, Relaxed);
                    sleep(PAUSE).await;
                } else {
                    seen.whole.fetch_add(1, Relaxed);
                }
            }
        };
        join_all((0..READERS).map(|_| reader())).await;
        let [events, whole, cut] = [seen.events, seen.whole, seen.cut].map(AtomicUsize::into_inner);
        ensure!(events > 0, "{cut} replays, and not one event of them");
        Ok(format!(
            "{events} events; {whole} replays came to their end, {cut} were refused or cut"
        ))
    }

    /// How many events came before `ends_at`.
    async fn replay(&self, stack: &Stack, ends_at: Instant) -> usize {
        let request = graphql(stack, &self.token, &self.body());
        let request = request.header("accept", "text/event-stream");
        let Ok(Ok(mut answer)) = timeout(PATIENCE, request.send()).await else {
            return 0;
        };
        let (mut events, mut text) = (0, String::new());
        while events < EVENTS && Instant::now() < ends_at {
            let Ok(Ok(Some(chunk))) = timeout(PATIENCE, answer.chunk()).await else {
                return events;
            };
            text.push_str(&String::from_utf8_lossy(&chunk));
            while let Some(at) = text.find(NEXT) {
                text.drain(..at + NEXT.len());
                events += 1;
            }
        }
        events
    }
}

/// What the readers saw.
#[derive(Debug, Default)]
struct Seen {
    events: AtomicUsize,
    whole: AtomicUsize,
    cut: AtomicUsize,
}

fn graphql(stack: &Stack, token: &str, body: &Value) -> RequestBuilder {
    let request = stack.http.post(format!("{}/graphql", stack.url(4000)));
    request.bearer_auth(token).json(body)
}
