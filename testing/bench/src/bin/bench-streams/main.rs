//! What live streams cost, each figure beside its goal: memory, processor time, how late, how many refused.
//!
//! A marketplace of its own runs on some processors, the subscribers on another. Before each measurement the router is a new
//! one. The machine may be noisy: what depends on its speed is compared with a floor, a broadcaster on the same processors in
//! the same run.

#[path = "../bench-overload/cores.rs"]
mod cores;
mod crowd;
mod floor;
mod frames;
mod identical;
mod load;
mod page;
mod process;
mod resume;
mod row;
#[path = "../bench-overload/server.rs"]
mod server;
mod shop;
mod sizes;
mod storm;
mod subscriber;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Context as _, ensure};
use clap::{Parser, ValueEnum};
use indicatif::ProgressBar;

use crate::{
    cores::Cores,
    crowd::Cost,
    page::Results,
    row::Row,
    shop::Shop,
    sizes::Sizes,
    subscriber::{Wire, Wish},
};

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

/// What every measurement needs.
#[derive(Debug)]
struct Bench<'a> {
    shop: &'a Shop,
    cores: &'a Cores,
    sizes: Sizes,
    port_offset: u16,
    /// The buyer of orders that everybody sees.
    buyer: String,
    rows: Vec<Row>,
    bar: ProgressBar,
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
    let measured = bench.run(&args.only).await;
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

impl Bench<'_> {
    async fn run(&mut self, only: &[Part]) -> anyhow::Result<()> {
        let wanted = |part| only.is_empty() || only.contains(&part);
        if wanted(Part::Identical) {
            let floor = identical::floor(self).await?;
            identical::crowd(self, Wire::Sse, floor).await?;
            identical::crowd(self, Wire::WebSocket, floor).await?;
        }
        if wanted(Part::Distinct) {
            identical::distinct(self, Wire::Sse).await?;
            identical::distinct(self, Wire::WebSocket).await?;
        }
        if wanted(Part::Entities) {
            identical::entities(self).await?;
        }
        if wanted(Part::Commit) {
            load::commit_to_frame(self).await?;
        }
        if wanted(Part::Load) {
            load::watched(self, false).await?;
            load::watched(self, true).await?;
        }
        if wanted(Part::Storm) {
            storm::storm(self).await?;
        }
        if wanted(Part::Resume) {
            resume::resume(self).await?;
        }
        Ok(())
    }

    /// Keeps a row, and shows it.
    fn add(&mut self, row: Row) {
        self.bar.println(page::row(&row));
        self.rows.push(row);
    }

    /// What events cost a crowd, beside the floor.
    fn compare(&mut self, name: &str, cost: Cost, floor: Cost) {
        for (what, value) in [("p50", cost.p50), ("p99", cost.p99)] {
            self.add(Row::plain(
                format!("{name}: one event, {what}"),
                "ms",
                value,
            ));
        }
        let late = cost.p99 / floor.p99;
        self.add(Row::goal(
            format!("{name}: one event, p99 over the floor's"),
            "x",
            late,
            1.3,
        ));
        self.add(Row::plain(
            format!("{name}: processor time a frame"),
            "µs",
            cost.a_frame,
        ));
        let work = cost.a_frame / floor.a_frame;
        self.add(Row::goal(
            format!("{name}: processor time a frame over the floor's"),
            "x",
            work,
            1.5,
        ));
    }

    /// A wish of somebody at the router.
    fn wish(&self, wire: Wire, query: &'static str, token: String) -> anyhow::Result<Wish> {
        Ok(Wish {
            address: self.shop.address()?,
            wire,
            query,
            token,
        })
    }

    /// Unpaid orders, whose own events have passed.
    async fn orders(&self, count: usize) -> anyhow::Result<Vec<String>> {
        let mut orders = Vec::new();
        for _ in 0..count {
            let ordered = self.shop.order(&self.buyer).await?;
            orders.push(ordered.context("an order is refused")?);
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok(orders)
    }

    async fn pay(&self, order: &str) -> anyhow::Result<()> {
        let is_paid = self.shop.pay(&self.buyer, order).await?;
        ensure!(is_paid, "order {order} cannot be paid");
        Ok(())
    }
}
