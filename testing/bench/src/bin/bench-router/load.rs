//! A closed loop of clients that ask one gateway one question for a while, each on a connection of its own.
//!
//! They share the processors with what they measure, so each is as little as it can be: one task that writes, reads and counts.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use futures::future::{Either, select, try_join_all};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request,
    body::Bytes,
    client::conn::http1::{self, SendRequest},
    header::{AUTHORIZATION, CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::TcpStream;

use crate::gateway::{Gateway, Question};

/// One turn of one gateway.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Turn {
    pub(crate) requests: usize,
    /// Requests a second.
    pub(crate) rate: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Processor time of the gateway, in milliseconds a request.
    pub(crate) cpu_ms: f64,
    pub(crate) rss_mib: u64,
    pub(crate) subgraph_requests: u64,
}

/// Keeps so many requests under way for a while.
///
/// # Errors
/// When one fails, or has another length than the first.
pub(crate) async fn run(
    gateway: &Gateway,
    question: &Question<'_>,
    connections: usize,
    time: Duration,
) -> anyhow::Result<Turn> {
    let length = gateway.ask(question).await?.len();
    let before = gateway.used()?;
    let start = Instant::now();
    let clients = (0..connections).map(|number| {
        let client = Client {
            gateway,
            question,
            number,
            length,
            end: start + time,
        };
        client.run()
    });
    let mut latencies = try_join_all(clients).await?.concat();
    let elapsed = start.elapsed().as_secs_f64();
    let after = gateway.used()?;
    latencies.sort_unstable();
    let requests = latencies.len();
    let count = f64::from(u32::try_from(requests).context("too many requests")?);
    let at = |percent: usize| {
        let index = requests.saturating_sub(1) * percent / 100;
        latencies.get(index).map_or(0.0, Duration::as_secs_f64) * 1e3
    };
    Ok(Turn {
        requests,
        rate: count / elapsed,
        p50_ms: at(50),
        p99_ms: at(99),
        cpu_ms: (after.seconds - before.seconds) * 1e3 / count.max(1.0),
        rss_mib: after.mib,
        subgraph_requests: 0,
    })
}

/// One of those who ask.
struct Client<'a> {
    gateway: &'a Gateway,
    question: &'a Question<'a>,
    number: usize,
    length: usize,
    end: Instant,
}

impl Client<'_> {
    /// How long each of its requests took.
    async fn run(self) -> anyhow::Result<Vec<Duration>> {
        let stream = TcpStream::connect(("127.0.0.1", self.gateway.port())).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        match select(pin!(self.ask(sender)), connection).await {
            Either::Left((latencies, _)) => latencies,
            Either::Right((_, _)) => bail!("{} closes a connection", self.gateway.name()),
        }
    }

    async fn ask(&self, mut sender: SendRequest<Full<Bytes>>) -> anyhow::Result<Vec<Duration>> {
        let body = Bytes::from(self.question.body());
        let token = self.question.token(self.number);
        let mut latencies = Vec::new();
        while Instant::now() < self.end {
            let start = Instant::now();
            let mut request = Request::post(self.gateway.path())
                .header(HOST, "127.0.0.1")
                .header(CONTENT_TYPE, "application/json");
            if let Some(token) = token {
                request = request.header(AUTHORIZATION, token);
            }
            let request = request.body(Full::new(body.clone()))?;
            sender.ready().await?;
            let response = sender.send_request(request).await?;
            let status = response.status();
            let answer = response.into_body().collect().await?.to_bytes();
            latencies.push(start.elapsed());
            ensure!(
                status.is_success() && answer.len() == self.length,
                "{} answers otherwise: {status}",
                self.gateway.name()
            );
        }
        Ok(latencies)
    }
}
