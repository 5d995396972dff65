//! One round: a fresh marketplace, buyers, kills, and then everything is compared with everything.

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
use marketplace::verify::{self, Finding, Ledger};
use product_service::FIRST_GENERATED;
use schema::id::UserId;
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::arena::{Arena, Arrangement};
use crate::buyers::{Buyers, COLD, HOT, HOT_UNITS};
use crate::killer::{self, Struck};
use crate::probes;
use crate::schedule::{Counts, Schedule};
use crate::watch::{self, Seen};

/// Users with an open stream.
const SUBSCRIBERS: usize = 8;
/// How long buyers come before the first kill, and after the last.
const CALM: Duration = Duration::from_secs(3);
/// How long the marketplace may take until nothing is left to do: promise I10.
const SETTLE: Duration = Duration::from_secs(30);
const TOKEN_TTL: Duration = Duration::from_secs(7_200);

/// How a round is done.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) program: PathBuf,
    /// Where the arena is; removed after a round without a fault.
    pub(crate) folder: PathBuf,
    pub(crate) offset: u16,
    /// Buyers a second.
    pub(crate) rate: f64,
    /// Mutations that must have been answered before the round ends.
    pub(crate) mutations: u64,
    /// How long an unanswered mutation is asked again.
    pub(crate) patience: Duration,
    /// Every how many mutations one is replayed in the end.
    pub(crate) replay_step: usize,
    /// False: nobody is killed, to see that the suite says so.
    pub(crate) kills: bool,
    pub(crate) group_commit: bool,
    pub(crate) mutant: Option<&'static str>,
}

/// What a round has shown.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Round {
    pub(crate) seed: u64,
    pub(crate) commit: String,
    pub(crate) group_commit: bool,
    /// Kills by process, and hits by crash point.
    pub(crate) kills: Counts,
    pub(crate) points: Counts,
    /// Mutations that were done, that were refused as they may be, tries beyond the first.
    pub(crate) done: u64,
    pub(crate) refused: u64,
    pub(crate) retries: u64,
    /// Mutations that were answered, by protocol.
    #[serde(default)]
    pub(crate) protocols: Counts,
    /// Mutations that were asked again with their key in the end.
    pub(crate) replayed: u64,
    pub(crate) orders: u64,
    pub(crate) events: u64,
    /// Messages of the topic that repeat an earlier one.
    pub(crate) repeats: u64,
    pub(crate) frames: u64,
    pub(crate) reconnects: u64,
    /// Looks at the promises while it went on.
    pub(crate) looks: u64,
    /// Kafka's and Postgres' restarts included, from the first buyer to the last check.
    pub(crate) seconds: f64,
    /// What was wrong.
    pub(crate) violations: Vec<String>,
}

/// Runs a round to its end.
///
/// # Errors
/// When the marketplace cannot be started or looked at: then nothing is known.
pub(crate) async fn run(plan: &Plan, bar: &ProgressBar) -> anyhow::Result<Round> {
    bar.set_position(0);
    bar.set_message(format!("seed {}: starting", plan.seed));
    let arena = Arena::start(&Arrangement {
        program: plan.program.clone(),
        folder: plan.folder.clone(),
        offset: plan.offset,
        group_commit: plan.group_commit,
        mutant: plan.mutant,
        products: HOT + COLD,
    })
    .await?;
    let outcome = Box::pin(fight(plan, &arena, bar)).await;
    arena.stop().await;
    outcome
}

async fn fight(plan: &Plan, arena: &Arena, bar: &ProgressBar) -> anyhow::Result<Round> {
    let ledger = Ledger::open(&arena.settings).await?;
    fill_shelves(ledger.database()).await?;
    let client = Client::new(&arena.router(), plan.patience)?;
    let issuer = arena.issuer();
    let tokens = move |user: i64| {
        let user = UserId::try_from(user).expect("users are numbered from 1");
        let token = issuer.user_token(user, Scopes::CUSTOMER, TOKEN_TTL);
        token.expose().to_owned()
    };
    let clients = arena.clients(client.clone())?;
    let buyers = Arc::new(Buyers::new(clients.clone(), tokens, SUBSCRIBERS));
    let streams = Tasks::new();
    let watched = subscribe(arena, &client, &buyers, &streams).await?;

    let started = Instant::now();
    let (stop_buying, stop_watching) = (CancellationToken::new(), CancellationToken::new());
    let buying = buyers.run(plan.seed, plan.rate, stop_buying.clone());
    let watching = watch::run(&ledger, stop_watching.clone());
    let killing = async {
        let struck = kill(plan, arena, &buyers, bar).await;
        stop_buying.cancel();
        struck
    };
    let judging = async {
        let (struck, ()) = tokio::join!(killing, buying);
        bar.set_message(format!("seed {}: settling", plan.seed));
        let findings = verify::run(&arena.settings, SETTLE).await;
        stop_watching.cancel();
        (struck, findings)
    };
    let ((struck, findings), seen) = tokio::join!(judging, watching);
    let (struck, first_kill, expiry) = struck?;
    bar.set_message(format!("seed {}: comparing", plan.seed));
    let mut round = Round {
        seed: plan.seed,
        group_commit: plan.group_commit,
        violations: expiry.into_iter().collect(),
        ..Round::default()
    };
    round.tell_struck(struck, plan);
    round.tell_findings(&findings?, seen);
    settle_streams(&watched, &buyers).await;
    round.tell_streams(&watched, &buyers);
    let late = streams.shutdown(Duration::from_secs(5)).await;
    anyhow::ensure!(late.is_empty(), "a stream's reader did not end");
    let repeats = ledger.repeats().await?;
    round.repeats = repeats.len() as u64;
    let early = repeats.iter().filter(|at| **at < first_kill).count();
    if early > 0 {
        let told = format!("I6: {early} events are in the topic twice, and nobody had been killed");
        round.violations.push(told);
    }
    let deadlocks = arena.deadlocks();
    if deadlocks > 0 {
        let told = format!("locks: Postgres has found {deadlocks} deadlocks");
        round.violations.push(told);
    }
    let cart = cart_database(arena).await?;
    let compared = buyers.journal.compare(ledger.database(), &cart).await?;
    round.violations.extend(compared);
    let (replayed, wrong) = buyers.journal.replay(&clients, plan.replay_step).await;
    round.replayed = replayed;
    round.violations.extend(wrong);
    (round.done, round.refused, round.retries) = buyers.journal.totals();
    round.protocols = buyers.journal.protocols();
    if let Some((owner, order)) = buyers.journal.any_order() {
        let probed = probes::entities(arena, owner, &order).await;
        round.violations.extend(probed);
    }
    round.violations.extend(probes::draining(arena).await);
    round.seconds = started.elapsed().as_secs_f64();
    Ok(round)
}

/// Waits a calm while, kills as the schedule says, and waits until enough is done and calm again. Answers also when the
/// first kill was, in milliseconds since 1970, and what the probe of the calm while found.
async fn kill(
    plan: &Plan,
    arena: &Arena,
    buyers: &Buyers,
    bar: &ProgressBar,
) -> anyhow::Result<(Struck, i64, Option<String>)> {
    let tell = |kills: u64| {
        let (done, refused, retries) = buyers.journal.totals();
        bar.set_position(kills);
        bar.set_message(format!(
            "seed {}: {done} done, {refused} refused, {retries} retries, {} under way",
            plan.seed,
            buyers.in_flight()
        ));
    };
    let (expiry, ()) = tokio::join!(probes::token_expiry(arena), sleep(CALM));
    let first_kill = Clock::system().now().timestamp_millis();
    let struck = match plan.kills {
        true => {
            let never = CancellationToken::new();
            killer::run(arena, Schedule::of(plan.seed), plan.seed, &never, tell).await?
        }
        false => Struck::default(),
    };
    let kills = struck.total();
    while buyers.journal.totals().0 < plan.mutations {
        tell(kills);
        sleep(Duration::from_millis(200)).await;
    }
    sleep(CALM).await;
    Ok((struck, first_kill, expiry))
}

/// Few units of the hot products, many of the cold ones.
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

/// Opens the streams at the topic's end, before the first order.
async fn subscribe(
    arena: &Arena,
    client: &Client,
    buyers: &Buyers,
    tasks: &Tasks,
) -> anyhow::Result<Vec<Watched>> {
    let operation = Operation {
        text: "{ orderEventsCursor }",
        field: "orderEventsCursor",
        variables: json!({}),
    };
    let token = arena.token(1, Scopes::CUSTOMER, TOKEN_TTL);
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

/// Waits until every version that was answered has come to its subscriber.
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

async fn cart_database(arena: &Arena) -> anyhow::Result<DatabaseConnection> {
    let url = verify::address(&arena.settings)?;
    let config = postgres::Config {
        url,
        ..arena.settings.postgres.clone()
    };
    Ok(postgres::connect(&config, "cart").await?)
}

impl Round {
    fn tell_struck(&mut self, struck: Struck, plan: &Plan) {
        if struck.kills.is_empty() {
            let told = "vacuous: nobody was killed, so this round says nothing";
            self.violations.push(told.to_owned());
        }
        let hit = |point: &crate::point::Point| struck.points.contains_key(point.name());
        let points = crate::point::Point::ALL;
        let never: Vec<_> = points.iter().filter(|point| !hit(point)).collect();
        if plan.mutant.is_none() && !never.is_empty() {
            let names: Vec<_> = never.iter().map(|point| point.name()).collect();
            let told = format!(
                "vacuous: nobody came to the crash points {}",
                names.join(", ")
            );
            self.violations.push(told);
        }
        self.kills = struck.kills;
        self.points = struck.points;
    }

    fn tell_findings(&mut self, findings: &[Finding], seen: Seen) {
        self.looks = seen.looks;
        self.violations.extend(seen.wrong);
        for finding in findings {
            match finding.id {
                "I5" => self.orders = finding.checked,
                "I6" => self.events = finding.checked,
                _ => {}
            }
            if !finding.holds() {
                let example = finding.examples.first().map_or("", String::as_str);
                let (id, broken) = (finding.id, finding.broken);
                let told = format!("{id}: {}: {broken} times; {example}", finding.promise);
                self.violations.push(told);
            }
        }
    }

    fn tell_streams(&mut self, watched: &[Watched], buyers: &Buyers) {
        for one in watched {
            let lacking = one.missing(&buyers.ledger);
            let sight = one
                .sight
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            self.frames += sight.frames;
            self.reconnects += sight.reconnects;
            let (repeated, missed, gaps) = (sight.repeated, sight.missed + lacking, sight.gaps);
            if repeated + missed + gaps > 0 || !sight.faults.is_empty() {
                let faults = sight.faults.first();
                self.violations.push(format!(
                    "streams: {repeated} frames repeated, {missed} missed, {gaps} gaps, {faults:?}"
                ));
            }
        }
    }
}
