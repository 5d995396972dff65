//! A run: prepare (tokens, catalogue, subscriptions), let operations become due, wait for the last frames, report.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use chassis::tasks::Tasks;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::client::{Client, Error, Operation, Reply};
use crate::crowd::Crowd;
use crate::goods::Goods;
use crate::ledger::Ledger;
use crate::plan::{Kind, Plan, Schedule};
use crate::report::{Memory, Report, Streams};
use crate::shopper::{Shop, Shopper};
use crate::stats::{Latencies, Stats};
use crate::subscriber::{Subscriber, Watched};

/// How long the last frames may take after the last response.
const SETTLE: Duration = Duration::from_secs(15);
/// How often the server's memory is asked for.
const MEMORY_INTERVAL: Duration = Duration::from_secs(2);
/// Tokens that are asked for at the same time.
const TOKENS_AT_ONCE: usize = 32;

/// A run that is ready to begin.
#[derive(Debug)]
pub struct Load {
    plan: Plan,
    shop: Arc<Shop>,
    crowd: Arc<Crowd>,
    live: Live,
    watched: Vec<Watched>,
    tasks: Tasks,
    memory: Arc<Watermark>,
}

/// The numbers of a run in progress. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Live {
    stats: Arc<Stats>,
    in_flight: Arc<AtomicUsize>,
}

/// How a run goes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Progress {
    /// Orders made.
    pub ordered: u64,
    /// Operations that ended as none may.
    pub failed: u64,
    /// Milliseconds within which 99 of 100 operations ended, from when they were due.
    pub p99_ms: f64,
}

impl Live {
    /// Ended operations, those that failed among them, and dropped arrivals.
    #[must_use]
    pub fn totals(&self) -> (u64, u64, u64) {
        self.stats.totals()
    }

    /// What a person wants to know while it runs.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let counts = self.stats.counts();
        let mut latencies = Latencies::default();
        for tally in counts.kinds.values() {
            latencies.add(&tally.latencies);
        }
        let ordered = counts.kinds.get(&Kind::Checkout).map_or(0, |it| it.done);
        let failed = counts.kinds.values().flat_map(|it| it.failed.values());
        Progress {
            ordered,
            failed: failed.sum(),
            p99_ms: latencies.quantile(0.99),
        }
    }

    /// Operations under way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }
}

impl Load {
    /// Gets tokens for new users, reads the catalogue and opens the subscriptions.
    ///
    /// # Errors
    /// [`Error`] when no marketplace answers there, or it hands out no tokens, or sells nothing.
    pub async fn prepare(plan: Plan) -> Result<Self, Error> {
        let client = Client::new(&plan.url, plan.patience)?;
        // New users: their orders are all made in this run, so that each subscriber knows every version.
        let first_user = rand::random_range(1_000_000_000..1_000_000_000_000_i64);
        let tokens = tokens(&client, first_user, plan.shoppers.max(1)).await?;
        let operator = client.token(first_user - 1, true).await?;
        let goods = Goods::read(&client, operator.clone(), plan.seed, plan.hot).await?;
        let cursor = cursor(&client, &operator).await?;
        let shop = Arc::new(Shop {
            client: client.clone(),
            goods,
            ledger: Ledger::default(),
            rest: plan.rest_url.clone(),
        });
        let tasks = Tasks::new();
        let mut watched = Vec::new();
        for (user, token) in tokens.iter().cycle().take(plan.subscribers) {
            let (subscriber, watches) =
                Subscriber::new(*user, token.clone(), client.clone(), cursor.clone());
            tasks.spawn("subscriber", subscriber.watch(tasks.token()));
            watched.push(watches);
        }
        let memory = Arc::<Watermark>::default();
        if let Some(admin) = plan.admin_url.clone() {
            let http = client.http().clone();
            let watch = watch_memory(http, admin, memory.clone(), tasks.token());
            tasks.spawn("server-memory", watch);
        }
        let shopper = |(place, (user, token)): (usize, (i64, String))| {
            Shopper::new(user, token, place < plan.subscribers, shop.clone())
        };
        let shoppers = tokens.into_iter().enumerate().map(shopper).collect();
        Ok(Self {
            crowd: Arc::new(Crowd::new(shoppers)),
            plan,
            shop,
            live: Live::default(),
            watched,
            tasks,
            memory,
        })
    }

    /// The numbers of the run in progress.
    #[must_use]
    pub fn live(&self) -> Live {
        self.live.clone()
    }

    /// Lets operations become due until the plan ends or `stop` is cancelled, and reports.
    pub async fn run(self, stop: CancellationToken) -> Report {
        let started = Instant::now();
        let operations = Tasks::new();
        for arrival in Schedule::of(&self.plan) {
            let due = started + arrival.after;
            tokio::select! {
                () = sleep_until(due) => {}
                () = stop.cancelled() => break,
            }
            self.live.stats.late(due.elapsed());
            self.begin(&operations, due, arrival.kind, arrival.draw);
        }
        let took = started.elapsed().min(self.plan.duration);
        // What is under way is patient for so long, and then gives up by itself.
        let late = operations
            .shutdown(self.plan.patience + Duration::from_secs(15))
            .await;
        let mut report = self.report(took).await;
        if !late.is_empty() {
            report
                .violations
                .push("operations did not end in time".into());
        }
        report
    }

    /// Starts one operation, or counts it as dropped.
    fn begin(&self, operations: &Tasks, due: Instant, kind: Kind, draw: u64) {
        let mut random = StdRng::seed_from_u64(draw);
        let full = self.live.in_flight() >= self.plan.in_flight_max;
        let shopper = (!full)
            .then(|| self.crowd.take(kind, &mut random))
            .flatten();
        let Some(mut shopper) = shopper else {
            self.live.stats.overloaded();
            return;
        };
        let (live, crowd) = (self.live.clone(), self.crowd.clone());
        live.in_flight.fetch_add(1, Ordering::Relaxed);
        operations.spawn("operation", async move {
            let kind = shopper.nearest(kind);
            let outcome = shopper.perform(kind, &mut random).await;
            live.stats.ended(kind, due.elapsed(), outcome);
            live.in_flight.fetch_sub(1, Ordering::Relaxed);
            crowd.give_back(shopper);
        });
    }

    async fn report(self, took: Duration) -> Report {
        let mut report = Report::new(&self.plan, self.live.stats.counts(), took);
        report.restocks = self.shop.goods.restocks();
        if !self.watched.is_empty() {
            // The last frames may still be under way.
            let settled = async {
                while self.missing() > 0 {
                    sleep(Duration::from_millis(20)).await;
                }
            };
            let settled = timeout(SETTLE, settled).await.is_ok();
            tracing::debug!(settled, "waited for the last frames");
            report = report.with_streams(self.streams());
        }
        for late in self.tasks.shutdown(Duration::from_secs(5)).await {
            tracing::debug!(task = late, "did not end in time");
        }
        report.memory = self.memory.memory();
        report
    }

    fn missing(&self) -> u64 {
        let ledger = &self.shop.ledger;
        self.watched.iter().map(|one| one.missing(ledger)).sum()
    }

    fn streams(&self) -> Streams {
        let mut streams = Streams {
            subscribers: self.watched.len(),
            missed: self.missing(),
            ..Streams::default()
        };
        let mut latencies = Latencies::default();
        for one in &self.watched {
            let observed = one.observation();
            streams.frames += observed.frames;
            streams.repeated += observed.repeated;
            streams.missed += observed.missed;
            streams.gaps += observed.gaps;
            streams.reconnects += observed.reconnects;
            streams.incomplete += observed.incomplete;
            for code in &observed.faults {
                *streams.errors.entry(code.clone()).or_default() += 1;
            }
            latencies.add(&observed.event_to_frame);
        }
        streams.set_latencies(&latencies);
        streams
    }
}

async fn tokens(client: &Client, first: i64, count: usize) -> Result<Vec<(i64, String)>, Error> {
    use futures::{StreamExt as _, TryStreamExt as _};
    let users = (first..).take(count);
    let asked = users.map(|user| async move { Ok((user, client.token(user, false).await?)) });
    futures::stream::iter(asked)
        .buffered(TOKENS_AT_ONCE)
        .try_collect()
        .await
}

/// The stream's end before the first order.
async fn cursor(client: &Client, token: &str) -> Result<String, Error> {
    let operation = Operation {
        text: "{ orderEventsCursor }",
        field: "orderEventsCursor",
        variables: json!({}),
    };
    match client.run(token, &operation).await.reply {
        Reply::Done(Value::String(cursor)) => Ok(cursor),
        Reply::Done(other) => Err(unreachable(client, other.to_string())),
        Reply::Refused(said) | Reply::Failed(said) => Err(unreachable(client, said)),
    }
}

fn unreachable(client: &Client, said: String) -> Error {
    Error::Unreachable {
        url: client.graph().clone(),
        said,
    }
}

/// The server's memory: first, most and last; 0 until the server has reported it.
#[derive(Debug, Default)]
struct Watermark {
    first: AtomicU64,
    peak: AtomicU64,
    last: AtomicU64,
}

impl Watermark {
    fn saw(&self, bytes: u64) {
        if self.first.load(Ordering::Relaxed) == 0 {
            self.first.store(bytes, Ordering::Relaxed);
        }
        self.peak.fetch_max(bytes, Ordering::Relaxed);
        self.last.store(bytes, Ordering::Relaxed);
    }

    fn memory(&self) -> Option<Memory> {
        let load = |value: &AtomicU64| value.load(Ordering::Relaxed);
        (load(&self.first) > 0).then(|| Memory {
            before: load(&self.first),
            peak: load(&self.peak),
            after: load(&self.last),
        })
    }
}

async fn watch_memory(
    http: reqwest::Client,
    admin: Url,
    memory: Arc<Watermark>,
    stop: CancellationToken,
) {
    let mut url = admin;
    url.set_path("/metrics");
    loop {
        if let Some(bytes) = resident_bytes(&http, &url).await {
            memory.saw(bytes);
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(MEMORY_INTERVAL) => {}
        }
    }
}

async fn resident_bytes(http: &reqwest::Client, url: &Url) -> Option<u64> {
    let request = http.get(url.clone()).timeout(Duration::from_secs(2));
    let text = request.send().await.ok()?.text().await.ok()?;
    let mut lines = text.lines();
    lines.find_map(|line| {
        line.strip_prefix("process_resident_memory_bytes ")?
            .trim()
            .parse()
            .ok()
    })
}
