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
    gateway::{Callers, Gateway, Kind, Question},
    load::Turn,
    page::{Measured, Results},
    subgraphs::Subgraphs,
};

/// One row of the comparison.
struct Case {
    name: &'static str,
    text: &'static str,
    /// How many ask at once; nothing where the arguments say so.
    connections: Option<&'static [usize]>,
    /// Whether each of them is another user with a token.
    has_tokens: bool,
    /// Whether gateways on Node are asked too.
    of_all: bool,
}

const BENCHMARK: &str =
    include_str!("../../../../../router/federation/benches/instructions/benchmark.graphql");
const ONE_HOP: &str = "{ users { id name username } }";

const CASES: [Case; 6] = [
    Case {
        name: "benchmark's query",
        text: BENCHMARK,
        connections: None,
        has_tokens: false,
        of_all: true,
    },
    Case {
        name: "two hops",
        text: "{ topProducts(first: 5) { upc name reviews { id body author { id username reviews { id } } } } }",
        connections: None,
        has_tokens: false,
        of_all: true,
    },
    Case {
        name: "one hop",
        text: ONE_HOP,
        connections: None,
        has_tokens: false,
        of_all: true,
    },
    Case {
        name: "one hop with tokens",
        text: ONE_HOP,
        connections: None,
        has_tokens: true,
        of_all: false,
    },
    Case {
        name: "benchmark's query, many",
        text: BENCHMARK,
        connections: Some(&[500]),
        has_tokens: false,
        of_all: false,
    },
    Case {
        name: "8 MiB",
        text: subgraphs::LARGE,
        connections: Some(&[1, 10]),
        has_tokens: false,
        of_all: false,
    },
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
    let callers = Callers::new(args.connections.iter().copied().max().unwrap_or(1))?;
    callers.write_keys(&folder.path().join(gateway::KEYS))?;
    let mut gateways = Vec::new();
    for (position, kind) in (0_u16..).zip(Kind::ALL) {
        let Some(command) = kind.command(&args, &supergraph, folder.path(), position)? else {
            if kind != Kind::Before {
                println!("*** SKIPPED: {}: not on this machine ***", kind.name());
            }
            continue;
        };
        gateways.push(Gateway::start(kind, command, kind.port(&args, position)).await?);
    }
    let mut results = Results::default();
    let measured = measure(&args, &subgraphs, &callers, &gateways, &mut results).await;
    for gateway in gateways {
        gateway.stop()?;
    }
    // What was measured before a failure is not lost with it.
    page::write(&args.output, &results)?;
    print!("{}", page::table(&results));
    measured
}

async fn measure(
    args: &Args,
    subgraphs: &Subgraphs,
    callers: &Callers,
    gateways: &[Gateway],
    results: &mut Results,
) -> anyhow::Result<()> {
    let is_chosen =
        |case: &&Case| args.only.is_empty() || args.only.iter().any(|it| it == case.name);
    for case in CASES.iter().filter(is_chosen) {
        let asked = gateways.iter();
        let asked = asked.filter(|gateway| case.of_all || gateway.kind().is_native());
        let asked: Vec<&Gateway> = asked.collect();
        let question = Question {
            text: case.text,
            callers: case.has_tokens.then_some(callers),
        };
        let bytes = compare(&question, &asked).await?;
        for connections in case.connections.unwrap_or(&args.connections) {
            let turns = turns(args, &question, *connections, subgraphs, &asked).await?;
            for (gateway, turns) in asked.iter().zip(&turns) {
                let measured = Measured::new(gateway.name(), case.name, bytes, *connections, turns);
                println!("{}", measured.row());
                results.measured.push(measured);
            }
        }
    }
    Ok(())
}

/// The turns of each gateway with one query and one number of connections.
async fn turns(
    args: &Args,
    question: &Question<'_>,
    connections: usize,
    subgraphs: &Subgraphs,
    gateways: &[&Gateway],
) -> anyhow::Result<Vec<Vec<Turn>>> {
    let time = Duration::from_millis(args.turn);
    let mut turns: Vec<Vec<Turn>> = gateways.iter().map(|_| Vec::new()).collect();
    for _ in 0..=args.rounds {
        for (gateway, turns) in gateways.iter().zip(&mut turns) {
            let before = subgraphs.requests();
            let mut turn = load::run(gateway, question, connections, time).await?;
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
async fn compare(question: &Question<'_>, gateways: &[&Gateway]) -> anyhow::Result<usize> {
    let mut first: Option<(Json, usize)> = None;
    for gateway in gateways {
        let body = gateway.ask(question).await?;
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
