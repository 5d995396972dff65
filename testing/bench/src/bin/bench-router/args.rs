//! What it is told.

use std::path::PathBuf;

use clap::Parser;

/// Compares the router with other gateways.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// The marketplace binary
    #[arg(long, default_value = "target/dist/marketplace")]
    pub(crate) binary: PathBuf,
    /// Another build of it, to compare with
    #[arg(long)]
    pub(crate) before: Option<PathBuf>,
    /// Folder with the gateways from npm; they are left out, with a line, where `npm install` was not done in it
    #[arg(long, default_value = "testing/bench/gateways")]
    pub(crate) gateways: PathBuf,
    /// Hive Router's binary; it is left out, with a line, without this
    #[arg(long)]
    pub(crate) hive_router: Option<PathBuf>,
    /// Turns of each gateway for each query and number of connections
    #[arg(long, default_value_t = 9)]
    pub(crate) rounds: usize,
    /// How long a turn is, in milliseconds
    #[arg(long, default_value_t = 1_000)]
    pub(crate) turn: u64,
    /// Requests that are under way at once
    #[arg(long, value_delimiter = ',', default_values_t = [16, 64])]
    pub(crate) connections: Vec<usize>,
    /// Only the rows of these names, such as "one hop"
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Moves the ports of the measured gateways
    #[arg(long, default_value_t = 15_000)]
    pub(crate) port_offset: u16,
    /// Serve the subgraphs alone and write their supergraph to this file, to try or profile a gateway by hand
    #[arg(long, value_name = "FILE")]
    pub(crate) subgraphs_only: Option<PathBuf>,
    /// Where results.json and router.svg go
    #[arg(long, default_value = "docs/benchmarks/router")]
    pub(crate) output: PathBuf,
}
