//! Comparative benchmarks, as ratios within one run: the machine may be noisy, the two sides share the noise.
//!
//! Starts a marketplace of its own (`up --processes`, ports moved by `--port-offset`), then asks the same question of
//! a subgraph and of the router in front of it, in turns of one second. What the router adds is its own share.

mod load;
mod shop;

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::Parser;

use crate::{load::Samples, shop::Shop};

/// Measures what the router adds to a one-hop query.
#[derive(Debug, Parser)]
struct Args {
    /// The marketplace binary to measure
    #[arg(long, default_value = "target/release/marketplace")]
    binary: PathBuf,
    /// Turns of one second for each side
    #[arg(long, default_value_t = 10)]
    rounds: u32,
    /// Requests that are under way at once
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// Moves the ports of the measured marketplace
    #[arg(long, default_value_t = 20_000)]
    port_offset: u16,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    chassis::tls::install();
    let args = Args::parse();
    let shop = Shop::start(&args.binary, args.port_offset).await?;
    let measured = measure(&args, &shop).await;
    shop.stop().await?;
    let (direct, routed) = measured?;
    report(&direct, &routed)
}

async fn measure(args: &Args, shop: &Shop) -> anyhow::Result<(Samples, Samples)> {
    const QUERY: &str = r#"{ product(sku: "1076963") { sku name price { amount currency } } }"#;
    let turn = Duration::from_secs(1);
    let (mut direct, mut routed) = (Samples::default(), Samples::default());
    for round in 0..=args.rounds {
        let service = shop.service_client()?;
        let subgraph = load::run(&service, &shop.subgraph, QUERY, args.connections, turn).await?;
        let router = load::run(&shop.client, &shop.router, QUERY, args.connections, turn).await?;
        // The first turn fills pools and caches.
        if round > 0 {
            direct.add(subgraph);
            routed.add(router);
        }
    }
    Ok((direct, routed))
}

fn report(direct: &Samples, routed: &Samples) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "| side | requests/s | p50 ms | p99 ms |\n|---|---|---|---|"
    )?;
    for (name, side) in [("subgraph alone", direct), ("through the router", routed)] {
        let (rate, p50, p99) = (side.rate(), side.percentile(50), side.percentile(99));
        writeln!(out, "| {name} | {rate:.0} | {p50:.3} | {p99:.3} |")?;
    }
    let ratio = routed.rate() / direct.rate();
    let share = routed.percentile(50) - direct.percentile(50);
    writeln!(out, "\nrequests/s through the router: {ratio:.2}x of the subgraph alone; added at p50: {share:.3} ms")
        .context("standard output is gone")
}
