//! What group commit is worth, and how fast events leave: on a private, durable Postgres and a real Kafka.
//!
//! The order service runs in this process and is asked over gRPC, as its users do, and once more by its use cases
//! alone; each order has an idempotency key, as a checkout has.
//! Both sides take turns in one run, because the machine may be noisy: the ratio is the result, not the rate.

mod contest;
mod door;
mod ground;
mod page;
mod sale;
mod stream;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use contest::{Outcome, Shelf};
use door::Door;
use ground::Ground;

/// Measures orders a second with group commit and without, and how events get to Kafka.
#[derive(Debug, Parser)]
struct Args {
    /// Where results.json and the plot are written
    #[arg(long, default_value = "docs/benchmarks/orders")]
    results: PathBuf,
    /// Turns of each side at each point
    #[arg(long, default_value_t = 5)]
    turns: u32,
    /// How long a turn is, as in 2s
    #[arg(long, default_value = "2s", value_parser = humantime::parse_duration)]
    turn: Duration,
    /// Events that wait for the relay
    #[arg(long, default_value_t = 100_000)]
    backlog: u32,
    /// A short run, to see that it works; its figures say nothing and are not written
    #[arg(long)]
    quick: bool,
}

/// Everything that was measured, as results.json has it.
#[derive(Debug, Serialize)]
struct Results {
    machine: String,
    cores: usize,
    contest: Vec<Outcome>,
    sales: Vec<sale::Outcome>,
    stream: stream::Outcome,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut args = Args::parse();
    if args.quick {
        (args.turns, args.turn, args.backlog) = (1, Duration::from_millis(300), 2_000);
    }
    let ground = Box::pin(Ground::prepare()).await?;
    let measured = measure(&args, &ground).await;
    ground.leave().await;
    let results = measured?;
    if !args.quick {
        page::write(&args.results, &results)?;
    }
    use std::io::Write as _;
    let told = write!(std::io::stdout().lock(), "{}", page::tables(&results));
    told.context("standard output is gone")
}

async fn measure(args: &Args, ground: &Ground) -> anyhow::Result<Results> {
    let points = contest::CLIENTS.len() * Shelf::ALL.len() * Door::ALL.len();
    let steps = points as u64 * 2 * u64::from(args.turns) + 4;
    let bar = ProgressBar::new(steps);
    let style = ProgressStyle::with_template("  [{bar:32}] {pos} of {len} {msg}")?;
    bar.set_style(style.progress_chars("=> "));
    let mut contest = Vec::new();
    for door in Door::ALL {
        let turns = (args.turns, args.turn);
        contest.extend(contest::run(ground, door, turns, &bar).await?);
    }
    let buyers = if args.quick { 500 } else { 10_000 };
    let mut sales = Vec::new();
    for grouped in [true, false] {
        bar.set_message("a flash sale");
        sales.push(sale::run(ground, grouped, buyers).await?);
        bar.inc(1);
    }
    bar.set_message("events to Kafka");
    let seconds = if args.quick { 1 } else { 20 };
    let stream = stream::run(ground, seconds, args.backlog).await?;
    bar.finish_and_clear();
    Ok(Results {
        machine: ground::machine(),
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        contest,
        sales,
        stream,
    })
}
