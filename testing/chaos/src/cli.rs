//! The command line of the suite.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Kills the processes of a marketplace under load, and proves that nothing is oversold, lost or doubled.
///
/// A round is a fresh marketplace (its own Postgres and a real Kafka), seeded buyers, every crash point once and as many
/// kills at random times. Its seed decides what is bought and who is killed. docs/reliability.md has the promises.
#[derive(Debug, Parser)]
#[command(name = "chaos", version, max_term_width = 80)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fight rounds; exit code 1 if a promise is broken, a crash point is never hit, or nobody is killed
    Run(Run),
    /// Switch on one known bug after the other and see that each is caught; exit code 1 if one is not
    Mutants(Mutants),
    /// Add up the rounds of a file, as Markdown
    Report {
        /// A file that `run --results` has written
        file: PathBuf,
    },
}

/// How much is enough.
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
    /// The seeds of its rounds.
    pub(crate) const fn seeds(self) -> RangeInclusive<u64> {
        match self {
            Self::Ci => 1..=1,
            Self::Nightly => 1..=25,
            Self::Record => 1..=125,
        }
    }

    /// Buyers a second: a debug build on a small machine must keep up with those of CI.
    pub(crate) const fn rate(self) -> f64 {
        match self {
            Self::Ci => 12.0,
            Self::Nightly | Self::Record => 60.0,
        }
    }

    /// Mutations that each round must see answered.
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
    /// How much is enough
    #[arg(long, value_enum, default_value = "ci", env = "TIER")]
    pub(crate) tier: Tier,
    /// Fight these rounds instead of all of the tier's: 7, or 1..40 with both ends
    #[arg(long, value_name = "SEEDS")]
    pub(crate) seeds: Option<Seeds>,
    /// Buyers a second [default: 12 in CI's tier, else 60]
    #[arg(long)]
    pub(crate) rate: Option<f64>,
    /// Kill nobody, to see that the suite says so
    #[arg(long)]
    pub(crate) no_kills: bool,
    /// Where rounds are written down; seeds that are there and held are passed over
    #[arg(long, value_name = "FILE", default_value = "target/chaos/rounds.jsonl")]
    pub(crate) results: PathBuf,
    #[command(flatten)]
    pub(crate) arena: ArenaFlags,
}

#[derive(Debug, Args)]
pub(crate) struct Mutants {
    /// Only these, by name; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Vec<String>,
    /// The round that each is tried in
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Buyers a second
    #[arg(long, default_value_t = 25.0)]
    pub(crate) rate: f64,
    #[command(flatten)]
    pub(crate) arena: ArenaFlags,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ArenaFlags {
    /// Where a round has its data; a round that failed leaves it there
    #[arg(long, value_name = "DIR", default_value = "target/chaos/arena")]
    pub(crate) folder: PathBuf,
    /// How far the ports of the marketplace that is killed are moved
    #[arg(long, default_value_t = 5_000)]
    pub(crate) port_offset: u16,
    /// How long a mutation without an answer is asked again, in seconds
    #[arg(long, default_value_t = 90)]
    pub(crate) patience: u64,
    /// Every how many mutations one is replayed in the end
    #[arg(long, default_value_t = 4)]
    pub(crate) replay_step: usize,
}

impl ArenaFlags {
    /// How long a mutation without an answer is asked again.
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
                .map_err(|_| format!("`{part}` is no seed; write 7, or 1..40"))
        };
        let range = number(first)?..=number(last)?;
        match range.is_empty() {
            true => Err(format!("{text} is empty")),
            false => Ok(Self(range)),
        }
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
