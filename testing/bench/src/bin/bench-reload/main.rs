//! Live streams and queries while the router takes another graph in, again and again.
//!
//! Starts a marketplace over its supergraph as a file, opens streams of operators, who see every order, and of shoppers, who
//! see their own, and keeps asking queries. Rounds come in pairs of the same orders: in the first the graph stays, in the
//! second another takes its place. In the end each stream must have had every event that is its own, once and in order.

#![expect(clippy::print_stdout, reason = "the summary is what it is for")]

mod graphs;
mod queries;
mod shop;
mod streams;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::ensure;
use bench::{cores::Cores, memory, server::Server};
use clap::Parser;

use crate::{
    graphs::Graphs,
    queries::{Queries, Window},
    shop::Shop,
    streams::Streams,
};

/// Measures what reloads of the supergraph cost those who are served meanwhile.
#[derive(Debug, Parser)]
struct Args {
    /// The marketplace binary to measure
    #[arg(long, default_value = "target/release/marketplace")]
    binary: PathBuf,
    /// Live streams, half of them operators'
    #[arg(long, default_value_t = 2_000)]
    streams: usize,
    /// How often another graph takes the place of the one before
    #[arg(long, default_value_t = 20)]
    reloads: usize,
    /// Orders in each round
    #[arg(long, default_value_t = 1)]
    orders: usize,
    /// Queries a second
    #[arg(long, default_value_t = 50)]
    rate: u32,
    /// How long after a graph was put in its place queries belong to the reload
    #[arg(long, default_value = "1s", value_parser = humantime::parse_duration)]
    window: Duration,
    /// Moves the ports of the measured marketplace
    #[arg(long, default_value_t = 16_000)]
    port_offset: u16,
}

/// Between two rounds, so that one has nothing of the other.
const PAUSE: Duration = Duration::from_secs(1);

fn main() -> anyhow::Result<()> {
    chassis::tls::install();
    chassis::listen::raise_limit();
    let args = Args::parse();
    let cores = Cores::part();
    tokio::runtime::Runtime::new()?.block_on(measure(&args, &cores))
}

async fn measure(args: &Args, cores: &Cores) -> anyhow::Result<()> {
    let folder = tempfile::TempDir::with_prefix("bench-reload-")?;
    let graphs = Graphs::new(folder.path().join("supergraph.graphql"))?;
    let settings = [
        format!("router.supergraph={}", graphs.path().display()),
        "router.supergraph_reload.interval=100ms".to_owned(),
        format!("router.stream.per_caller_max={}", args.streams),
    ];
    let server = Server::start(&args.binary, args.port_offset, &settings, cores).await?;
    let services = server.running();
    let measured = rounds(args, &server, graphs, cores.of_the_product).await;
    let is_as_started = server.running() == services;
    server.stop().await?;
    measured?;
    ensure!(is_as_started, "a process was started again");
    Ok(())
}

async fn rounds(
    args: &Args,
    server: &Server,
    mut graphs: Graphs,
    processors: usize,
) -> anyhow::Result<()> {
    let shop = Shop::open(server, args.streams / 2).await?;
    let streams = Streams::open(server, &shop, args.streams).await?;
    let mut doomed = streams::Doomed::open(server, &shop).await?;
    let services = server.running();
    let memory = || memory::largest(&services);
    println!("{} streams are open, {} MiB", args.streams, memory());
    let queries = Queries::start(server, args.rate);
    let (mut calm, mut reloading) = (Window::default(), Window::default());
    let mut took = Vec::new();
    for round in 0..args.reloads {
        tokio::time::sleep(PAUSE).await;
        let start = Instant::now();
        shop.order(round, args.orders).await?;
        tokio::time::sleep_until((start + args.window).into()).await;
        calm.add(queries.since(start));

        tokio::time::sleep(PAUSE).await;
        let start = Instant::now();
        let (loaded, ordered) =
            tokio::join!(graphs.put_next(server), shop.order(round, args.orders));
        ordered?;
        took.push(loaded?);
        tokio::time::sleep_until((start + args.window).into()).await;
        reloading.add(queries.since(start));
    }
    let (refused, failed) = queries.stop();
    let orders = shop.versions().await?;
    let seen = streams.finish(&orders).await?;
    ensure!(
        doomed.ended().await?,
        "the stream of a field that is gone did not end with SCHEMA_CHANGED"
    );
    took.sort_unstable();
    let events: u32 = orders.iter().map(|order| order.versions).sum();
    println!("processors of the marketplace  {processors}");
    println!("reloads                        {}", took.len());
    println!(
        "until it is served             {:.0} ms in the middle, {:.0} ms at most",
        milliseconds(took.get(took.len() / 2)),
        milliseconds(took.last())
    );
    println!("events                         {events}");
    println!("frames that were due           {}", seen.due);
    println!("streams that ended             {}", seen.ended);
    println!(
        "frames lost / twice / wrong    {} / {} / {}",
        seen.lost, seen.twice, seen.wrong
    );
    println!("memory                         {} MiB", memory());
    println!("queries refused / failed       {refused} / {failed}");
    println!("queries, p50 and p99 in ms     {calm} without a reload, {reloading} with");
    println!(
        "p99 with / without             {:.2}",
        reloading.p99() / calm.p99()
    );
    ensure!(
        seen.is_whole() && failed == 0,
        "a stream ended, a frame is not as it must be, or a query failed"
    );
    Ok(())
}

fn milliseconds(duration: Option<&Duration>) -> f64 {
    duration.map_or(0.0, Duration::as_secs_f64) * 1e3
}
