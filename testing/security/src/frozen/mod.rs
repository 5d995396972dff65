//! Connections of the order service to Postgres that stand still in a transaction, one after the other: each costs its order
//! at most the statement time-out and a second, the order can be asked for again, and a normal user sees nothing of it.

mod proxy;

use std::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use chassis::tasks::Tasks;
use serde_json::{Value, json};
use tokio::net::lookup_host;

use self::proxy::{Moment, Proxy};
use crate::{
    bystander::{self, Held, watch},
    output::print,
    stack::Stack,
};

/// Short, so that many connections can be frozen in a minute.
pub(crate) const SETTINGS: [&str; 1] = ["postgres.statement_timeout=2s"];
/// The time-out and the second that the client's side adds to it.
const COST_MAX: Duration = Duration::from_secs(3);
/// What a busy machine may add.
const GRACE: Duration = Duration::from_millis(1_500);
/// How often a refused order is asked for again.
const TRIES: usize = 20;
const USER: i64 = 8_003;
const MOMENTS: [Moment; 3] = [
    Moment::AfterBegin,
    Moment::BeforeCommit,
    Moment::AfterCommit,
];

/// A Postgres behind a proxy. Both end with the process.
#[derive(Debug)]
pub(crate) struct Freezer {
    proxy: Proxy,
    /// The address by which the services reach the server.
    pub(crate) postgres: String,
    _tasks: Tasks,
}

impl Freezer {
    /// Starts both.
    ///
    /// # Errors
    /// When the address of the server is none.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let address = testkit::postgres_url().await;
        let (scheme, rest) = address.split_once("://").context("no URL")?;
        let (user, host) = rest.split_once('@').context("no user")?;
        let (host, path) = host.split_once('/').unwrap_or((host, ""));
        let server = lookup_host(host).await?.next();
        let tasks = Tasks::new();
        let proxy = Proxy::start(server.context("no such host")?, &tasks).await?;
        let postgres = format!("{scheme}://{user}@{}/{path}", proxy.address);
        Ok(Self {
            proxy,
            postgres,
            _tasks: tasks,
        })
    }
}

/// Freezes one connection after the other.
///
/// # Errors
/// When an order waited too long, or was lost or made twice; when the user was hurt.
pub(crate) async fn run(stack: &Stack, freezer: &Freezer, held: Held) -> anyhow::Result<()> {
    print(bystander::HEAD)?;
    let buyer = Buyer {
        stack,
        token: stack.token(USER, false).await?,
        asked: AtomicU32::new(0),
    };
    let freezing = async {
        let ends_at = Instant::now() + held.time;
        let (mut longest, mut moments) = (Duration::ZERO, MOMENTS.iter().cycle());
        while Instant::now() < ends_at {
            let Some(moment) = moments.next() else { break };
            longest = longest.max(buyer.order_beside(&freezer.proxy, *moment).await?);
        }
        let frozen = freezer.proxy.frozen();
        let asked = u64::from(buyer.asked.load(Relaxed));
        // The last one may be armed still.
        ensure!(
            frozen + 1 >= asked,
            "{frozen} connections froze for {asked} orders"
        );
        let there = buyer.orders().await?;
        ensure!(
            there == asked,
            "{asked} orders were asked for, and there are {there}"
        );
        Ok(format!(
            "{frozen} connections frozen, {asked} orders, the longest answer after {:.1} s",
            longest.as_secs_f64()
        ))
    };
    watch(stack, "frozen connections", held, freezing).await
}

struct Buyer<'a> {
    stack: &'a Stack,
    token: String,
    asked: AtomicU32,
}

impl Buyer<'_> {
    /// Orders while a connection freezes, and again with the same key until the order is there; how long the first answer took.
    async fn order_beside(&self, proxy: &Proxy, moment: Moment) -> anyhow::Result<Duration> {
        let key = format!("frozen-{}", self.asked.fetch_add(1, Relaxed));
        proxy.arm(moment);
        let asked_at = Instant::now();
        let mut answer = self.order(&key).await?;
        let took = asked_at.elapsed();
        ensure!(
            took <= COST_MAX + GRACE,
            "an order waited {took:?} for a connection that froze {moment:?}: {answer}"
        );
        for _ in 0..TRIES {
            if answer["data"]["createOrder"]["order"]["id"].is_string() {
                return Ok(took);
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
            answer = self.order(&key).await?;
        }
        anyhow::bail!("no order after a connection froze {moment:?}: {answer}")
    }

    async fn order(&self, key: &str) -> anyhow::Result<Value> {
        let query = r#"mutation { createOrder(input: {lines: [{sku: "139275865", count: 1}]}) { order { id } userErrors { code message } } }"#;
        let request = self.request(query).header("idempotency-key", key);
        Ok(request.send().await?.json().await?)
    }

    async fn orders(&self) -> anyhow::Result<u64> {
        let query = "{ me { orders(first: 100) { nodes { id } } } }";
        let answer: Value = self.request(query).send().await?.json().await?;
        let nodes = answer["data"]["me"]["orders"]["nodes"].as_array();
        let nodes = nodes.with_context(|| format!("no orders: {answer}"))?;
        Ok(nodes.len() as u64)
    }

    fn request(&self, query: &str) -> reqwest::RequestBuilder {
        let graphql = format!("{}/graphql", self.stack.url(4000));
        let request = self.stack.http.post(graphql).bearer_auth(&self.token);
        request.json(&json!({"query": query}))
    }
}
