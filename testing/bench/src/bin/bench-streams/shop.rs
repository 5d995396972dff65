//! The shop whose events are streamed: its buyers, its operators, and what its router says of itself.

use std::{net::SocketAddr, path::Path, time::Duration};

use anyhow::{Context as _, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use bench::{cores::Cores, server::Server};

use crate::process::Process;

const SKU: &str = "1076963";
const STOCK: i64 = 2_000_000_000;
const STOCKED: &str = "query($sku: ID!) { stock(sku: $sku) { total } }";
const SET_STOCK: &str = r"mutation($sku: ID!, $total: Int!, $expected: Int!) {
    setStock(input: {sku: $sku, total: $total, expectedTotal: $expected}) { userErrors { code } } }";
const ORDER: &str = r"mutation($sku: ID!) {
    createOrder(input: {lines: [{sku: $sku, count: 1}]}) { order { id } userErrors { code } } }";
const PAY: &str = "mutation($id: ID!) { payOrder(input: {orderId: $id}) { userErrors { code } } }";
/// How long a process may take to come back, and streams to be counted.
const PATIENCE: Duration = Duration::from_secs(60);
/// Tokens that are asked for at once.
const AT_ONCE: usize = 16;

/// A running shop.
#[derive(Debug)]
pub(crate) struct Shop {
    server: Server,
    client: Client,
    pub(crate) operator: String,
}

impl Shop {
    /// Starts one that takes `streams` of one caller, with a full shelf.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) async fn open(
        binary: &Path,
        port_offset: u16,
        streams: usize,
        cores: &Cores,
    ) -> anyhow::Result<Self> {
        let settings = [format!("router.stream.per_caller_max={streams}")];
        let server = Server::start(binary, port_offset, &settings, cores).await?;
        let mut shop = Self {
            server,
            client: Client::new(),
            operator: String::new(),
        };
        shop.operator = shop.token(1_000_000, true).await?;
        let sku = json!({ "sku": SKU });
        let stock = shop.ask(&shop.operator, STOCKED, &sku).await?;
        let expected = &stock["data"]["stock"]["total"];
        let filled = json!({ "sku": SKU, "total": STOCK, "expected": expected });
        let set = shop.ask(&shop.operator, SET_STOCK, &filled).await?;
        ensure!(set["errors"].is_null(), "the stock cannot be set: {set}");
        Ok(shop)
    }

    /// Where clients of GraphQL connect.
    ///
    /// # Errors
    /// Never, in fact: the address is written by this program.
    pub(crate) fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.server.address(4000).parse()?)
    }

    /// The address of the events' broker.
    pub(crate) fn broker(&self) -> String {
        self.server.address(9092)
    }

    /// The router's process.
    ///
    /// # Errors
    /// When it does not run.
    pub(crate) fn router(&self) -> anyhow::Result<Process> {
        let running = self.server.running();
        let id = running.get("router.pid").context("no router runs")?;
        Ok(Process(*id))
    }

    /// Kills the router; it is started again by itself.
    ///
    /// # Errors
    /// When it does not run.
    pub(crate) fn kill_router(&self) -> anyhow::Result<()> {
        let id = i32::try_from(self.router()?.0)?;
        let id = rustix::process::Pid::from_raw(id).context("no process")?;
        Ok(rustix::process::kill_process(
            id,
            rustix::process::Signal::KILL,
        )?)
    }

    /// Puts a new router in the place of the old one, so that no measurement finds what another left.
    ///
    /// # Errors
    /// When it does not come.
    pub(crate) async fn renew_router(&self) -> anyhow::Result<()> {
        let old = self.router()?.0;
        self.kill_router()?;
        let end = Instant::now() + PATIENCE;
        let ready = self.server.at(4000, "/readyz");
        loop {
            ensure!(Instant::now() < end, "no new router came");
            sleep(Duration::from_millis(100)).await;
            let is_new = self.router().is_ok_and(|it| it.0 != old);
            let ready = self.client.get(&ready).send();
            if is_new && matches!(ready.await, Ok(it) if it.status().is_success()) {
                return Ok(());
            }
        }
    }

    /// The sum of a metric of the router over its labels, those with `label` alone.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn metric(&self, name: &str, label: &str) -> anyhow::Result<f64> {
        let request = self.client.get(self.server.at(4001, "/metrics"));
        let text = request.send().await?.text().await?;
        let lines = text
            .lines()
            .filter_map(|line| line.strip_prefix(name))
            .filter(|rest| rest.starts_with(['{', ' ']) && rest.contains(label));
        let values = lines.filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok());
        Ok(values.sum())
    }

    /// Waits until the router has `count` streams open.
    ///
    /// # Errors
    /// When it has not within a minute.
    pub(crate) async fn has_open(&self, count: usize) -> anyhow::Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            let open = self.metric("marketplace_router_subscribers", "").await?;
            if (open - count_of(count)).abs() < 0.5 {
                return Ok(());
            }
            ensure!(Instant::now() < end, "{open} of {count} streams are open");
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// A token.
    ///
    /// # Errors
    /// When none is issued.
    pub(crate) async fn token(&self, user: usize, is_operator: bool) -> anyhow::Result<String> {
        let body = json!({ "user": user.to_string(), "ops": is_operator });
        let request = self.client.post(self.server.at(4000, "/demo/token"));
        let request = request.header("content-type", "application/json");
        let text = request.body(body.to_string()).send().await?.text().await?;
        let issued: Value = serde_json::from_str(&text)?;
        let token = issued["token"].as_str().context("no token was issued")?;
        Ok(token.to_owned())
    }

    /// The tokens of the users from 1 on.
    ///
    /// # Errors
    /// When one is not issued.
    pub(crate) async fn tokens(&self, users: usize) -> anyhow::Result<Vec<String>> {
        let asking = (1..=users).map(|user| self.token(user, false));
        let asking = futures::stream::iter(asking).buffered(AT_ONCE);
        asking.try_collect().await
    }

    /// Orders, and gives the order's id; nothing where that was refused.
    ///
    /// # Errors
    /// When the router does not answer.
    pub(crate) async fn order(&self, token: &str) -> anyhow::Result<Option<String>> {
        let ordered = self.ask(token, ORDER, &json!({ "sku": SKU })).await?;
        let id = ordered["data"]["createOrder"]["order"]["id"].as_str();
        Ok(id.map(str::to_owned))
    }

    /// Pays an order; whether that was done.
    ///
    /// # Errors
    /// When the router does not answer.
    pub(crate) async fn pay(&self, token: &str, id: &str) -> anyhow::Result<bool> {
        let paid = self.ask(token, PAY, &json!({ "id": id })).await?;
        Ok(paid["errors"].is_null() && paid["data"]["payOrder"]["userErrors"][0].is_null())
    }

    async fn ask(&self, token: &str, query: &str, variables: &Value) -> anyhow::Result<Value> {
        let body = json!({ "query": query, "variables": variables });
        let request = self.client.post(self.server.at(4000, "/graphql"));
        let request = request.bearer_auth(token);
        let request = request.header("content-type", "application/json");
        let response = request.body(body.to_string()).send().await?;
        let text = response.text().await?;
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    /// Stops it.
    ///
    /// # Errors
    /// When it does not stop.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        self.server.stop().await
    }
}

/// A count as a number to reckon with.
pub(crate) fn count_of(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
