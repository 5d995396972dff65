//! Measures what group commit gains and how fast events reach Kafka, on a private, durable Postgres and a real Kafka.
//!
//! The order service runs in this process. It is called over gRPC, as its users do, and by its use cases alone; each
//! order has an idempotency key, as a checkout has. Both variants take turns in one run, because the machine may be
//! noisy: the ratio is the result, not the rate.

mod benchmark;
mod endpoint;
mod fixture;
mod latency;
mod page;
mod results;
mod stream;
mod workload;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

use benchmark::Demand;
use endpoint::Endpoint;
use fixture::Fixture;
use results::Results;

/// Measures orders per second with group commit and without, and how fast events reach Kafka.
#[derive(Debug, Parser)]
struct Args {
    /// Where results.json and the plot are written
    #[arg(long, default_value = "docs/benchmarks/orders")]
    results: PathBuf,
    /// Turns of each variant at each point
    #[arg(long, default_value_t = 5)]
    turns: u32,
    /// How long a turn is, as in 2s
    #[arg(long, default_value = "2s", value_parser = humantime::parse_duration)]
    turn: Duration,
    /// Events in the relay's backlog
    #[arg(long, default_value_t = 100_000)]
    backlog: u32,
    /// A short smoke run; its figures mean nothing and are not written
    #[arg(long)]
    quick: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut args = Args::parse();
    if args.quick {
        (args.turns, args.turn, args.backlog) = (1, Duration::from_millis(300), 2_000);
    }
    let fixture = Box::pin(Fixture::prepare()).await?;
    let measured = measure(&args, &fixture).await;
    fixture.stop().await;
    let results = measured?;
    if !args.quick {
        page::write(&args.results, &results)?;
    }
    use std::io::Write as _;
    let printed = write!(std::io::stdout().lock(), "{}", page::tables(&results));
    printed.context("standard output is gone")
}

async fn measure(args: &Args, fixture: &Fixture) -> anyhow::Result<Results> {
    let points = benchmark::CLIENTS.len() * Demand::ALL.len() * Endpoint::ALL.len();
    let steps = points as u64 * 2 * u64::from(args.turns) + 4;
    let bar = ProgressBar::new(steps);
    let style = ProgressStyle::with_template("  [{bar:32}] {pos} of {len} {msg}")?;
    bar.set_style(style.progress_chars("=> "));
    let mut orders = Vec::new();
    for endpoint in Endpoint::ALL {
        let turns = (args.turns, args.turn);
        orders.extend(benchmark::run(fixture, endpoint, turns, &bar).await?);
    }
    let buyers = if args.quick { 500 } else { 10_000 };
    let mut flash_sales = Vec::new();
    for grouped in [true, false] {
        bar.set_message("a flash sale");
        flash_sales.push(workload::run(fixture, grouped, buyers).await?);
        bar.inc(1);
    }
    bar.set_message("events to Kafka");
    let seconds = if args.quick { 1 } else { 20 };
    let stream = stream::run(fixture, seconds, args.backlog).await?;
    bar.finish_and_clear();
    Ok(Results {
        machine: fixture::machine(),
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        orders,
        flash_sales,
        stream,
    })
}
