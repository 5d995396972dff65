//! The router against other gateways over the same subgraphs, in turns within one run.
//!
//! Starts four subgraphs that answer from memory and each gateway over them, asks each the same, compares what they answer,
//! and then measures them one after another, again and again. Writes a table, a plot and the raw numbers.

#![expect(clippy::print_stdout, reason = "the summary is what it is for")]

mod args;
mod gateway;
mod load;
mod page;
mod subgraphs;

use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Parser;
use serde_json::Value as Json;

use crate::{
    args::Args,
    gateway::{Gateway, Kind},
    load::Turn,
    page::{Measured, Results},
    subgraphs::Subgraphs,
};

const QUERIES: [(&str, &str); 3] = [
    (
        "benchmark's query",
        include_str!("../../../../../router/federation/benches/instructions/benchmark.graphql"),
    ),
    (
        "two hops",
        "{ topProducts(first: 5) { upc name reviews { id body author { id username reviews { id } } } } }",
    ),
    ("one hop", "{ users { id name username } }"),
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    chassis::tls::install();
    let args = Args::parse();
    let folder = tempfile::TempDir::with_prefix("bench-router-")?;
    let subgraphs = Subgraphs::start().await?;
    if let Some(file) = &args.subgraphs_only {
        std::fs::write(file, subgraphs.supergraph())?;
        println!("serving the supergraph of {} until Ctrl-C", file.display());
        return Ok(tokio::signal::ctrl_c().await?);
    }
    let supergraph = folder.path().join("supergraph.graphql");
    std::fs::write(&supergraph, subgraphs.supergraph())?;
    let mut gateways = Vec::new();
    for (position, kind) in (0_u16..).zip(Kind::ALL) {
        let Some(command) = kind.command(&args, &supergraph, folder.path(), position)? else {
            println!(
                "*** SKIPPED: {}: --hive-router names no binary ***",
                kind.name()
            );
            continue;
        };
        gateways.push(Gateway::start(kind, command, kind.port(&args, position)).await?);
    }
    let results = measure(&args, &subgraphs, &gateways).await;
    for gateway in gateways {
        gateway.stop()?;
    }
    let results = results?;
    page::write(&args.output, &results)?;
    print!("{}", page::table(&results));
    Ok(())
}

async fn measure(
    args: &Args,
    subgraphs: &Subgraphs,
    gateways: &[Gateway],
) -> anyhow::Result<Results> {
    let mut results = Results::default();
    for (query, text) in QUERIES {
        let bytes = compare(text, gateways).await?;
        for connections in &args.connections {
            let turns = turns(args, text, *connections, subgraphs, gateways).await?;
            for (gateway, turns) in gateways.iter().zip(&turns) {
                let measured = Measured::new(gateway.name(), query, bytes, *connections, turns);
                println!("{}", measured.row());
                results.measured.push(measured);
            }
        }
    }
    Ok(results)
}

/// The turns of each gateway with one query and one number of connections.
async fn turns(
    args: &Args,
    text: &str,
    connections: usize,
    subgraphs: &Subgraphs,
    gateways: &[Gateway],
) -> anyhow::Result<Vec<Vec<Turn>>> {
    let time = Duration::from_millis(args.turn);
    let mut turns: Vec<Vec<Turn>> = gateways.iter().map(|_| Vec::new()).collect();
    for _ in 0..=args.rounds {
        for (gateway, turns) in gateways.iter().zip(&mut turns) {
            let before = subgraphs.requests();
            let mut turn = load::run(gateway, text, connections, time).await?;
            turn.subgraph_requests = subgraphs.requests() - before;
            turns.push(turn);
        }
    }
    // The first turn fills pools and caches, and compiles what is compiled while it runs.
    for turns in &mut turns {
        turns.remove(0);
    }
    Ok(turns)
}

/// Asks all gateways once, and gives the length of the answer of the first.
async fn compare(text: &str, gateways: &[Gateway]) -> anyhow::Result<usize> {
    let mut first: Option<(Json, usize)> = None;
    for gateway in gateways {
        let body = gateway.ask(text).await?;
        let json: Json = serde_json::from_slice(&body)
            .with_context(|| format!("{} answers no JSON", gateway.name()))?;
        ensure!(
            json.get("errors").is_none() && json.get("data").is_some(),
            "{} answers {json}",
            gateway.name()
        );
        let (known, _) = first.get_or_insert_with(|| (json.clone(), body.len()));
        ensure!(
            known["data"] == json["data"],
            "{} answers other data",
            gateway.name()
        );
    }
    first.map(|(_, bytes)| bytes).context("no gateway runs")
}
