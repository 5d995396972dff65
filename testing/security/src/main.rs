//! What the marketplace withstands, tried on the real thing: a fuzz of every interface, a list of abuses with what each
//! costs, floods beside a normal user, and schemathesis over the REST documents. `make security` runs it.
//!
//! Starts a marketplace of its own (`up --processes`). A run ends with an error when anything did not hold: a panic, a
//! process that ended, a 5xx that is not a refusal for a moment, an `INTERNAL`, an abuse that was not refused as it must be.

mod abuse;
mod bystander;
mod documents;
mod floods;
mod frozen;
mod fuzz;
mod matrix;
mod output;
mod overload;
mod processor;
mod raw;
mod stack;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use clap::{Parser, Subcommand};

use crate::{bystander::Held, stack::Stack};

/// Attacks a marketplace of its own.
#[derive(Debug, Parser)]
struct Args {
    /// The marketplace binary to attack
    #[arg(long, default_value = "target/debug/marketplace", global = true)]
    binary: PathBuf,
    /// Moves the ports of the attacked marketplace; to free ones unless given
    #[arg(long, global = true)]
    port_offset: Option<u16>,
    #[command(subcommand)]
    attack: Attack,
}

#[derive(Debug, Subcommand)]
enum Attack {
    /// Random requests to every interface; each is made from the seed and its number, so a finding can be repeated
    Fuzz {
        /// How many requests
        #[arg(long, default_value_t = 20_000)]
        cases: u64,
        /// Where the random numbers begin
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// The number of the first case
        #[arg(long, default_value_t = 0)]
        first: u64,
        /// Requests that are under way at once
        #[arg(long, default_value_t = 16)]
        workers: u64,
    },
    /// Each known abuse, whether it is refused, and the processor time that it costs
    Abuse {
        /// Fail above 2 ms for a refusal and 5 ms for what is accepted; wants a release build
        #[arg(long)]
        enforce_cost: bool,
        /// Only abuses whose name contains this
        #[arg(long, default_value = "")]
        only: String,
    },
    /// Every field, route and method, for every kind of caller, over every transport, on loopback and beyond it
    Matrix,
    /// Floods held beside a normal user, and what that user sees
    Floods {
        /// How long each is held, in seconds
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Connections of a flood
        #[arg(long, default_value_t = 5_000)]
        connections: usize,
        /// Only floods whose name contains this
        #[arg(long, default_value = "")]
        only: String,
        /// Fail when the user's p99 more than doubles; wants a release build and a quiet machine
        #[arg(long)]
        enforce_latency: bool,
    },
    /// Connections of the order service to Postgres that stop in a transaction, beside a normal user
    Frozen {
        /// For how long one after the other is frozen, in seconds
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Fail when the user's p99 more than doubles; wants a release build and a quiet machine
        #[arg(long)]
        enforce_latency: bool,
    },
    /// Five times what there is room for: payments are served, what is refused is told so and not done; by counts alone
    Overload,
    /// schemathesis over every OpenAPI document; skipped loudly where it is not installed
    Documents {
        /// Examples of each operation
        #[arg(long, default_value_t = 25)]
        examples: u32,
    },
}

impl Attack {
    /// As it is called on the command line.
    const fn name(&self) -> &'static str {
        match self {
            Self::Fuzz { .. } => "fuzz",
            Self::Abuse { .. } => "abuse",
            Self::Matrix => "matrix",
            Self::Floods { .. } => "floods",
            Self::Frozen { .. } => "frozen",
            Self::Overload => "overload",
            Self::Documents { .. } => "documents",
        }
    }

    /// The settings of the attacked marketplace.
    const fn settings(&self) -> &'static [&'static str] {
        match self {
            Self::Overload => &overload::SETTINGS,
            Self::Floods { .. } => &floods::SETTINGS,
            Self::Frozen { .. } => &frozen::SETTINGS,
            Self::Fuzz { .. } | Self::Abuse { .. } | Self::Matrix | Self::Documents { .. } => &[],
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    chassis::tls::install();
    let args = Args::parse();
    let name = args.attack.name();
    match attack(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // An exit code is all that is left when standard error is gone.
            output::print_failure(name, &error).unwrap_or_default();
            ExitCode::FAILURE
        }
    }
}

async fn attack(args: Args) -> anyhow::Result<()> {
    let offset = args.port_offset.unwrap_or_else(testkit::free_offset);
    let freezer = match args.attack {
        Attack::Frozen { .. } => Some(frozen::Freezer::start().await?),
        _ => None,
    };
    let postgres = freezer.as_ref().map(|freezer| freezer.postgres.as_str());
    let stack = Stack::start(&args.binary, offset, args.attack.settings(), postgres).await?;
    let outcome = run(&stack, &args.binary, freezer.as_ref(), args.attack).await;
    // What waits for its last line in the log gets the time for it.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (processes, log) = (stack.check_processes(), stack.check_log());
    let results = [outcome, processes, log, stack.stop().await];
    let errors = results.into_iter().filter_map(Result::err);
    let errors: Vec<String> = errors.map(|error| format!("{error:#}")).collect();
    ensure!(errors.is_empty(), "{}", errors.join("\n"));
    Ok(())
}

async fn run(
    stack: &Stack,
    binary: &Path,
    freezer: Option<&frozen::Freezer>,
    attack: Attack,
) -> anyhow::Result<()> {
    match attack {
        Attack::Fuzz {
            cases,
            seed,
            first,
            workers,
        } => fuzz::run(stack, seed, first..first + cases, workers).await,
        Attack::Abuse { enforce_cost, only } => abuse::run(stack, enforce_cost, &only).await,
        Attack::Floods {
            seconds,
            connections,
            only,
            enforce_latency,
        } => floods::run(stack, held(seconds, enforce_latency), connections, &only).await,
        Attack::Frozen {
            seconds,
            enforce_latency,
        } => {
            let freezer = freezer.context("there is no freezer")?;
            frozen::run(stack, freezer, held(seconds, enforce_latency)).await
        }
        Attack::Matrix => matrix::run(stack, binary).await,
        Attack::Overload => overload::run(stack).await,
        Attack::Documents { examples } => documents::run(stack, examples).await,
    }
}

const fn held(seconds: u64, enforce_latency: bool) -> Held {
    Held {
        time: Duration::from_secs(seconds),
        enforce_latency,
    }
}
