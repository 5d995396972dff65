//! `chaos`: see `chaos --help`, or `make chaos`. Start reading at [`round`], then [`mutants`].

mod buyers;
mod cli;
mod clients;
mod environment;
mod inject;
mod journal;
mod mutants;
mod mutation;
mod outcome;
mod output;
mod point;
mod probes;
mod report;
mod round;
mod run;
mod schedule;
mod watch;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let passed = runtime
        .context("starting the runtime")
        .and_then(|runtime| runtime.block_on(Box::pin(execute(&cli.command))));
    match passed {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let printed = writeln!(std::io::stderr().lock(), "chaos: {error:#}");
            ExitCode::from(if printed.is_ok() { 2 } else { 3 })
        }
    }
}

/// Executes one command. Returns whether what it checks held.
async fn execute(command: &Command) -> anyhow::Result<bool> {
    match command {
        Command::Run(flags) => Box::pin(run::run(flags)).await,
        Command::Mutants(flags) => Box::pin(mutants::run(flags)).await,
        Command::Report { file } => {
            output::print(&report::describe(&report::read(file)?))?;
            Ok(true)
        }
    }
}
