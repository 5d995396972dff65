//! One round: starts a new marketplace, lets buyers use it, injects faults, and compares everything in the end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chassis::clock::Clock;
use chassis::postgres::{self, DatabaseConnection};
use chassis::principal::Scopes;
use chassis::tasks::Tasks;
use indicatif::ProgressBar;
use load::{Client, Operation, Reply, Subscriber, Watched};
use marketplace::verify::{self, Ledger};
use product_service::FIRST_GENERATED;
use schema::id::UserId;
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::buyers::{Buyers, COLD, HOT, HOT_UNITS};
use crate::cli::EnvironmentFlags;
use crate::environment::{Environment, Setup};
use crate::inject::{self, Injected};
use crate::outcome::Outcome;
use crate::probes;
use crate::schedule::Schedule;
use crate::watch;

/// Users with an open stream.
const SUBSCRIBERS: usize = 8;
/// How long buyers use the marketplace undisturbed before the first kill and after the last.
const CALM: Duration = Duration::from_secs(3);
/// How long the marketplace may take to finish all work: promise I10.
const SETTLE: Duration = Duration::from_secs(30);
const TOKEN_TTL: Duration = Duration::from_secs(7_200);

/// The settings of a round.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// The marketplace with its crash points.
    pub(crate) program: PathBuf,
    /// Where the environment has its data. It stays after the round.
    pub(crate) folder: PathBuf,
    pub(crate) port_offset: u16,
    /// Buyers per second.
    pub(crate) rate: f64,
    /// Mutations that must have a response before the round ends.
    pub(crate) mutations: u64,
    /// How long a mutation without a response is retried.
    pub(crate) patience: Duration,
    /// Every Nth mutation is replayed in the end.
    pub(crate) replay_step: usize,
    /// Whether faults are injected. Without them the round must fail as vacuous.
    pub(crate) kills: bool,
    pub(crate) group_commit: bool,
    /// Whether a crash point that no process reached is a violation.
    pub(crate) every_point: bool,
}

impl Plan {
    /// A round of `program` with this seed, as small as it can be.
    ///
    /// # Errors
    /// When the folder cannot be made absolute.
    pub(crate) fn new(
        seed: u64,
        program: PathBuf,
        flags: &EnvironmentFlags,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            seed,
            program,
            folder: std::path::absolute(&flags.folder).context("--folder")?,
            port_offset: flags.port_offset,
            rate: 60.0,
            mutations: 0,
            patience: flags.patience(),
            replay_step: flags.replay_step,
            kills: true,
            group_commit: true,
            every_point: true,
        })
    }
}

/// Runs a round to its end.
///
/// # Errors
/// When the marketplace cannot be started or inspected. The round then says nothing.
pub(crate) async fn run(plan: &Plan, bar: &ProgressBar) -> anyhow::Result<Outcome> {
    bar.set_position(0);
    bar.set_message(format!("seed {}: starting", plan.seed));
    let environment = Environment::start(&Setup {
        program: plan.program.clone(),
        folder: plan.folder.clone(),
        offset: plan.port_offset,
        group_commit: plan.group_commit,
        products: HOT + COLD,
    })
    .await?;
    let outcome = Box::pin(run_in(&environment, plan, bar)).await;
    environment.stop().await;
    outcome
}

async fn run_in(
    environment: &Environment,
    plan: &Plan,
    bar: &ProgressBar,
) -> anyhow::Result<Outcome> {
    let ledger = Ledger::open(&environment.settings).await?;
    fill_shelves(ledger.database()).await?;
    let client = Client::new(&environment.router(), plan.patience)?;
    let issuer = environment.issuer();
    let tokens = move |user: i64| {
        let user = UserId::try_from(user).expect("users are numbered from 1");
        let token = issuer.user_token(user, Scopes::CUSTOMER, TOKEN_TTL);
        token.expose().to_owned()
    };
    let clients = environment.clients(client.clone())?;
    let buyers = Arc::new(Buyers::new(clients.clone(), tokens, SUBSCRIBERS));
    let streams = Tasks::new();
    let watched = subscribe(environment, &client, &buyers, &streams).await?;

    let started = Instant::now();
    let (stop_buying, stop_watching) = (CancellationToken::new(), CancellationToken::new());
    let buying = buyers.run(plan.seed, plan.rate, stop_buying.clone());
    let watching = watch::run(&ledger, stop_watching.clone());
    let injecting = async {
        let injected = inject_faults(plan, environment, &buyers, bar).await;
        stop_buying.cancel();
        injected
    };
    let verifying = async {
        let (injected, ()) = tokio::join!(injecting, buying);
        bar.set_message(format!("seed {}: settling", plan.seed));
        let findings = verify::run(&environment.settings, SETTLE).await;
        stop_watching.cancel();
        (injected, findings)
    };
    let ((faults, findings), observed) = tokio::join!(verifying, watching);
    let faults = faults?;
    bar.set_message(format!("seed {}: comparing", plan.seed));
    let mut outcome = Outcome {
        seed: plan.seed,
        group_commit: plan.group_commit,
        violations: faults.token_expiry.into_iter().collect(),
        ..Outcome::default()
    };
    outcome.add_faults(faults.injected, plan.every_point);
    outcome.add_observation(observed);
    outcome.add_findings(&findings?);
    settle_streams(&watched, &buyers).await;
    outcome.add_streams(&watched, &buyers.ledger);
    let late = streams.shutdown(Duration::from_secs(5)).await;
    anyhow::ensure!(late.is_empty(), "a subscriber did not stop");
    let repeats = ledger.repeats().await?;
    outcome.repeats = repeats.len() as u64;
    let early = repeats.iter().filter(|at| **at < faults.first_kill_ms);
    outcome
        .violations
        .extend(repeats_before_a_kill(early.count()));
    outcome.violations.extend(deadlocks(environment));
    compare(environment, plan, &ledger, &buyers, &mut outcome).await?;
    outcome
        .violations
        .extend(probes::draining(environment).await);
    outcome.seconds = started.elapsed().as_secs_f64();
    Ok(outcome)
}

fn repeats_before_a_kill(count: usize) -> Option<String> {
    (count > 0)
        .then(|| format!("I6: {count} events are in the topic twice, and nobody had been killed"))
}

fn deadlocks(environment: &Environment) -> Option<String> {
    let count = environment.deadlocks();
    (count > 0).then(|| format!("locks: Postgres has found {count} deadlocks"))
}

/// Compares what buyers were told with the databases, and replays a part of it with the same keys.
async fn compare(
    environment: &Environment,
    plan: &Plan,
    ledger: &Ledger,
    buyers: &Buyers,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let cart = cart_database(environment).await?;
    let compared = buyers.journal.compare(ledger.database(), &cart).await?;
    outcome.violations.extend(compared);
    let replay = buyers.journal.replay(&buyers.clients, plan.replay_step);
    let (replayed, differences) = replay.await;
    outcome.replayed = replayed;
    outcome.violations.extend(differences);
    (outcome.done, outcome.refused, outcome.retries) = buyers.journal.totals();
    outcome.protocols = buyers.journal.protocols();
    if let Some((owner, order)) = buyers.journal.any_order() {
        let probed = probes::entities(environment, owner, &order).await;
        outcome.violations.extend(probed);
    }
    Ok(())
}

/// What happened between the two calm periods.
struct Faults {
    injected: Injected,
    /// When the first one was due, in milliseconds since 1970.
    first_kill_ms: i64,
    /// What the probe of the first calm period found broken.
    token_expiry: Option<String>,
}

/// Waits for the first calm period, injects the faults of the schedule, and waits until enough mutations are done and
/// the second calm period is over.
async fn inject_faults(
    plan: &Plan,
    environment: &Environment,
    buyers: &Buyers,
    bar: &ProgressBar,
) -> anyhow::Result<Faults> {
    let progress = |kills: u64| {
        let (done, refused, retries) = buyers.journal.totals();
        bar.set_position(kills);
        bar.set_message(format!(
            "seed {}: {done} done, {refused} refused, {retries} retries, {} under way",
            plan.seed,
            buyers.in_flight()
        ));
    };
    let (token_expiry, ()) = tokio::join!(probes::token_expiry(environment), sleep(CALM));
    let first_kill_ms = Clock::system().now().timestamp_millis();
    let injected = if plan.kills {
        inject::run(environment, Schedule::of(plan.seed), plan.seed, progress).await?
    } else {
        Injected::default()
    };
    let kills = injected.total();
    while buyers.journal.totals().0 < plan.mutations {
        progress(kills);
        sleep(Duration::from_millis(200)).await;
    }
    sleep(CALM).await;
    Ok(Faults {
        injected,
        first_kill_ms,
        token_expiry,
    })
}

/// Stocks few units of the hot products and many of the cold ones.
async fn fill_shelves(db: &DatabaseConnection) -> anyhow::Result<()> {
    let sql = "insert into stocks (sku, total, reserved, baseline_total)
               select $1 + n, units, 0, units
               from generate_series(0, $2 + $3 - 1) as n,
                    lateral (select case when n < $2 then $4 else 1000000 end as units) as shelf";
    let values = [
        FIRST_GENERATED.into(),
        i64::from(HOT).into(),
        i64::from(COLD).into(),
        HOT_UNITS.into(),
    ];
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
    db.execute_raw(statement)
        .await
        .context("filling the shelves")?;
    Ok(())
}

/// Subscribes from the end of the topic, before the first order.
async fn subscribe(
    environment: &Environment,
    client: &Client,
    buyers: &Buyers,
    tasks: &Tasks,
) -> anyhow::Result<Vec<Watched>> {
    let operation = Operation {
        text: "{ orderEventsCursor }",
        field: "orderEventsCursor",
        variables: json!({}),
    };
    let token = environment.token(1, Scopes::CUSTOMER, TOKEN_TTL);
    let cursor = match client.run(&token, &operation).await.reply {
        Reply::Done(Value::String(cursor)) => cursor,
        other => anyhow::bail!("no cursor: {other:?}"),
    };
    let subscribed = buyers.watched().into_iter().map(|buyer| {
        let (client, cursor) = (client.clone(), cursor.clone());
        let (subscriber, watched) = Subscriber::new(buyer.user, buyer.token, client, cursor);
        tasks.spawn("subscriber", subscriber.watch(tasks.token()));
        watched
    });
    Ok(subscribed.collect())
}

/// Waits until each subscriber has received every version that a response named.
async fn settle_streams(watched: &[Watched], buyers: &Buyers) {
    let deadline = Instant::now() + SETTLE;
    let missing = || {
        watched
            .iter()
            .map(|it| it.missing(&buyers.ledger))
            .sum::<u64>()
    };
    while missing() > 0 && Instant::now() < deadline {
        sleep(Duration::from_millis(50)).await;
    }
}

async fn cart_database(environment: &Environment) -> anyhow::Result<DatabaseConnection> {
    let url = verify::address(&environment.settings)?;
    let config = postgres::Config {
        url,
        ..environment.settings.postgres.clone()
    };
    Ok(postgres::connect(&config, "cart").await?)
}
