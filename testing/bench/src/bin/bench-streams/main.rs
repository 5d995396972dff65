//! What live streams cost, each figure beside its goal: memory, processor time, how late, how many refused.
//!
//! A marketplace of its own runs on some processors, the subscribers on another. Before each measurement the router is a new
//! one. The machine may be noisy: what depends on its speed is compared with a floor, a broadcaster on the same processors in
//! the same run.

mod crowd;
mod floor;
mod frames;
mod identical;
mod load;
mod page;
mod process;
mod resume;
mod row;
mod shop;
mod sizes;
mod storm;
mod subscriber;
mod suite;

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context as _;
use bench::cores::Cores;
use clap::{Parser, ValueEnum};
use indicatif::ProgressBar;

use crate::{page::Results, shop::Shop, sizes::Sizes, subscriber::Wire, suite::Bench};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The same for everybody: memory, idle, one event to all
    Identical,
    /// Everybody somebody else: memory
    Distinct,
    /// One event to all, with its order
    Entities,
    /// From the commit to the frame
    Commit,
    /// Orders while operators look on
    Load,
    /// A router killed under all its clients
    Storm,
    /// Users who resume over a long history
    Resume,
}

/// Measures live streams.
#[derive(Debug, Parser)]
struct Args {
    /// The marketplace binary to measure
    #[arg(long, default_value = "target/release/marketplace")]
    binary: PathBuf,
    /// Where results.json, table.md and the plot are written
    #[arg(long, default_value = "docs/benchmarks/streams")]
    results: PathBuf,
    /// Small sizes, to see whether all still works; the figures are no record
    #[arg(long)]
    quick: bool,
    /// Only some parts
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Moves the ports of the measured marketplace; from 23,000 on some are among those that the system gives to subscribers
    #[arg(long, default_value_t = 22_000)]
    port_offset: u16,
    /// Be the floor, on this address
    #[arg(long, hide = true)]
    floor: Option<SocketAddr>,
}

fn main() -> anyhow::Result<()> {
    chassis::tls::install();
    chassis::listen::raise_limit();
    let args = Args::parse();
    if let Some(address) = args.floor {
        return floor::serve(address);
    }
    // Before the runtime starts its threads, which inherit it.
    let cores = Cores::part();
    tokio::runtime::Runtime::new()?.block_on(measure(&args, &cores))
}

async fn measure(args: &Args, cores: &Cores) -> anyhow::Result<()> {
    let sizes = if args.quick {
        Sizes::QUICK
    } else {
        Sizes::RECORD
    };
    // A crowd, and those that warm the router up before it.
    let streams = sizes.identical + 1_000;
    let shop = Shop::open(&args.binary, args.port_offset, streams, cores).await?;
    let mut bench = Bench {
        buyer: shop.token(1, false).await?,
        shop: &shop,
        cores,
        sizes,
        port_offset: args.port_offset,
        rows: Vec::new(),
        bar: ProgressBar::new_spinner(),
    };
    let measured = run(&mut bench, &args.only).await;
    let rows = std::mem::take(&mut bench.rows);
    bench.bar.finish_and_clear();
    drop(bench);
    shop.close().await?;
    measured?;
    let results = Results {
        cores: cores.of_the_product,
        sizes,
        rows,
    };
    page::write(&args.results, &results)?;
    use std::io::Write as _;
    write!(std::io::stdout().lock(), "{}", page::table(&results)).context("standard output is gone")
}

async fn run(bench: &mut Bench<'_>, only: &[Part]) -> anyhow::Result<()> {
    let wanted = |part| only.is_empty() || only.contains(&part);
    if wanted(Part::Identical) {
        let floor = identical::floor(bench).await?;
        identical::crowd(bench, Wire::Sse, floor).await?;
        identical::crowd(bench, Wire::WebSocket, floor).await?;
    }
    if wanted(Part::Distinct) {
        identical::distinct(bench, Wire::Sse).await?;
        identical::distinct(bench, Wire::WebSocket).await?;
    }
    if wanted(Part::Entities) {
        identical::entities(bench).await?;
    }
    if wanted(Part::Commit) {
        load::commit_to_frame(bench).await?;
    }
    if wanted(Part::Load) {
        load::watched(bench, false).await?;
        load::watched(bench, true).await?;
    }
    if wanted(Part::Storm) {
        storm::storm(bench).await?;
    }
    if wanted(Part::Resume) {
        resume::resume(bench).await?;
    }
    Ok(())
}
