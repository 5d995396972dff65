//! The command line of the suite.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Kills the processes of a marketplace under load, and proves that nothing is oversold, lost or doubled.
///
/// A round is a new marketplace (its own Postgres and a real Kafka), seeded buyers, every crash point once and as many
/// kills at random times. Its seed decides what is bought and what is killed. docs/reliability.md has the promises.
#[derive(Debug, Parser)]
#[command(name = "chaos", version, max_term_width = 80)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run rounds; exit code 1 if a promise is broken, a crash point is never hit, or nothing is killed
    Run(Run),
    /// Put one known bug after the other into a copy of the product; exit code 1 if one is not caught
    Mutants(Mutants),
    /// Sum up the rounds of a file, as Markdown
    Report {
        /// A file written by `run --results`
        file: PathBuf,
    },
}

/// The size of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tier {
    /// One round
    Ci,
    /// 25 rounds: 800 kills
    Nightly,
    /// 125 rounds: 4,000 kills, 1,000,000 mutations
    Record,
}

impl Tier {
    /// The seeds of its rounds, one each.
    pub(crate) const fn seeds(self) -> RangeInclusive<u64> {
        match self {
            Self::Ci => 1..=1,
            Self::Nightly => 1..=25,
            Self::Record => 1..=125,
        }
    }

    /// Buyers per second. CI's are few enough for a debug build on a small machine.
    pub(crate) const fn rate(self) -> f64 {
        match self {
            Self::Ci => 12.0,
            Self::Nightly | Self::Record => 60.0,
        }
    }

    /// Mutations that must be answered in each round.
    pub(crate) const fn mutations(self) -> u64 {
        match self {
            Self::Ci => 1_000,
            Self::Nightly => 4_000,
            Self::Record => 8_000,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Size of the run
    #[arg(long, value_enum, default_value = "ci", env = "TIER")]
    pub(crate) tier: Tier,
    /// Run these rounds instead of the tier's: 7, or 1..40 with both ends
    #[arg(long, value_name = "SEEDS")]
    pub(crate) seeds: Option<Seeds>,
    /// Buyers per second [default: 12 in CI's tier, else 60]
    #[arg(long)]
    pub(crate) rate: Option<f64>,
    /// Kill nothing, to see that the suite reports it
    #[arg(long)]
    pub(crate) no_kills: bool,
    /// Where results are recorded; seeds that passed there are skipped
    #[arg(long, value_name = "FILE", default_value = "target/chaos/rounds.jsonl")]
    pub(crate) results: PathBuf,
    #[command(flatten)]
    pub(crate) environment: EnvironmentFlags,
}

#[derive(Debug, Args)]
pub(crate) struct Mutants {
    /// Try only this mutant; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Vec<String>,
    /// Seed of the first round of each mutant
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Buyers per second
    #[arg(long, default_value_t = 25.0)]
    pub(crate) rate: f64,
    /// Print the mutants and what is wrong in each, and try none
    #[arg(long)]
    pub(crate) list: bool,
    /// Check that every patch still applies, and try none
    #[arg(long, conflicts_with = "list")]
    pub(crate) check: bool,
    /// Where the tree is copied to and built; kept for the next run
    #[arg(long, value_name = "DIR", default_value = "target/mutants")]
    pub(crate) scratch: PathBuf,
    #[command(flatten)]
    pub(crate) environment: EnvironmentFlags,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct EnvironmentFlags {
    /// Folder of a round's data; that of a failed round is kept as failed-SEED beside it
    #[arg(long, value_name = "DIR", default_value = "target/chaos/round")]
    pub(crate) folder: PathBuf,
    /// Added to every port of the marketplace that is killed
    #[arg(long, default_value_t = 5_000)]
    pub(crate) port_offset: u16,
    /// How long a mutation without a response is retried, in seconds
    #[arg(long, default_value_t = 90)]
    pub(crate) patience: u64,
    /// Every Nth mutation is replayed in the end
    #[arg(long, default_value_t = 4)]
    pub(crate) replay_step: usize,
}

impl EnvironmentFlags {
    /// [`Self::patience`] as a duration.
    pub(crate) const fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }
}

/// One seed, or a range with both ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seeds(pub(crate) RangeInclusive<u64>);

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        let number = |part: &str| {
            let part = part.trim_start_matches('=');
            part.parse::<u64>()
                .map_err(|_| format!("`{part}` is not a seed; write 7, or 1..40"))
        };
        let range = number(first)?..=number(last)?;
        if range.is_empty() {
            return Err(format!("the range {text} is empty"));
        }
        Ok(Self(range))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_one_or_a_range_with_both_ends() {
        assert_eq!("7".parse(), Ok(Seeds(7..=7)));
        assert_eq!("1..40".parse(), Ok(Seeds(1..=40)));
        for wrong in ["", "a..b", "9..1"] {
            assert!(wrong.parse::<Seeds>().is_err(), "{wrong}");
        }
    }
}
