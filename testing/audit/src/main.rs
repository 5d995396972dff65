//! The public federation audit against the shipped router, and random queries over the audit's graphs. `make audit` runs it.
//!
//! For each supergraph of the audit it starts the router on it, with a proxy between router and subgraphs that counts. A case
//! passes when its data is what the audit expects, the order of keys aside, and it has errors just where the audit says so.
//! The audit itself is no part of this repository: `--audit` names a clone of it, with `npm install` done. Its own `test`
//! command is not used, because that ends whatever process holds a port.

mod output;
mod process;
mod proxy;
mod report;
mod suite;

use std::{
    path::PathBuf,
    process::{Command, ExitCode},
};

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use crate::{process::Process, proxy::Proxy, report::Report, suite::Router};

/// Runs the federation audit.
#[derive(Debug, Parser)]
struct Args {
    /// A clone of graphql-hive/federation-gateway-audit, installed
    #[arg(long, global = true, default_value = "../federation-gateway-audit")]
    audit: PathBuf,
    /// The marketplace binary whose router is audited
    #[arg(long, global = true, default_value = "target/debug/marketplace")]
    binary: PathBuf,
    /// Another router to audit instead, as a shell's line: `{supergraph}` is the file, `{port}` where it is to listen
    #[arg(long, global = true)]
    command: Option<String>,
    /// Only suites whose name contains this
    #[arg(long, global = true, default_value = "")]
    only: String,
    /// Show what was asked, expected and received of each case that fails
    #[arg(long, global = true)]
    verbose: bool,
    /// The first of the ports that are used: subgraphs, proxy, and from the third on the router
    #[arg(long, global = true, default_value_t = 24_000)]
    port: u16,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The audit's own cases, with its resolvers as they are and once more with those that fail poor plans
    Cases,
    /// Random queries over the audit's graphs, against graphql-js over one schema with the same values
    Random {
        /// Queries for each graph
        #[arg(long, default_value_t = 200)]
        queries: u32,
        /// Where the random numbers begin
        #[arg(long, default_value_t = 1)]
        seed: u32,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    chassis::tls::install();
    let args = Args::parse();
    let reports = match &args.what {
        What::Cases => {
            let plain = audit(&args, node(&args, "0"), "tests").await?;
            output::line("with PUNISH_FOR_POOR_PLANS=1:");
            let strict = audit(&args, node(&args, "1"), "tests").await?;
            vec![plain, strict]
        }
        What::Random { queries, seed } => {
            let path = format!("tests?count={queries}&seed={seed}");
            vec![audit(&args, random(&args), &path).await?]
        }
    };
    let has_failed = reports.iter().any(Report::has_failed);
    Ok(ExitCode::from(u8::from(has_failed)))
}

/// The audit's server of subgraphs.
fn node(args: &Args, punish: &str) -> Command {
    let mut command = Command::new("node");
    command
        .args(["--import", "tsx", "src/cli.ts", "serve"])
        .args(["--port", &args.port.to_string()])
        .env("PUNISH_FOR_POOR_PLANS", punish)
        .current_dir(&args.audit);
    command
}

/// A server of the same subgraphs over made-up values.
fn random(args: &Args) -> Command {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/random/server.mjs");
    let mut command = Command::new("node");
    command
        .args(["--import", "tsx", script])
        .arg(args.port.to_string())
        .current_dir(&args.audit);
    command
}

async fn audit(args: &Args, mut server: Command, tests: &str) -> anyhow::Result<Report> {
    // npm puts a newer node there for those who install it; the audit needs 22 or newer.
    let own_node = args.audit.canonicalize();
    let own_node = own_node.with_context(|| format!("no audit at {}", args.audit.display()))?;
    #[expect(clippy::disallowed_methods, reason = "the PATH is no setting of ours")]
    let path = std::env::var("PATH").unwrap_or_default();
    let bin = own_node.join("node_modules/.bin");
    server.env("PATH", format!("{}:{path}", bin.display()));
    let subgraphs = Process::start("the audit's server", server)?;
    let server = format!("http://127.0.0.1:{}", args.port);
    subgraphs.answers(&format!("{server}/ids")).await?;
    let proxy = Proxy::start(args.port + 1, server.clone()).await?;
    let router = Router {
        binary: &args.binary,
        command: args.command.as_deref(),
        port: args.port + 2,
    };
    let mut report = Report::new(args.verbose);
    let ids: Vec<String> = reqwest::get(format!("{server}/ids")).await?.json().await?;
    for id in ids.iter().filter(|id| id.contains(&args.only)) {
        suite::run(id, tests, &router, &proxy, &mut report).await?;
    }
    report.total();
    Ok(report)
}
