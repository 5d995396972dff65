//! `marketplace load`: its flags.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use load::Mix;
use url::Url;

/// Flags of `load`.
#[derive(Debug, Args)]
pub struct Load {
    /// The router to load [default: this machine's, by the settings in force]
    #[arg(long, value_name = "URL")]
    pub url: Option<Url>,
    /// Operations per second, however fast the server responds
    #[arg(long, default_value_t = 50.0, value_name = "N", value_parser = rate)]
    pub rate: f64,
    /// Duration, as in 30s or 5m
    #[arg(long, default_value = "30s", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub duration: Duration,
    /// Number of shoppers; each runs one operation at a time
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = count)]
    pub shoppers: usize,
    /// Number of live subscriptions that check their frames
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub subscribers: usize,
    /// Seed of the arrivals and draws [default: a new one, shown in the summary]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Weights of the operations; the default is below
    #[arg(long, default_value_t = Mix::default(), hide_default_value = true, value_name = "NAME=N,...")]
    pub mix: Mix,
    /// Number of products that get half of all purchases
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = count)]
    pub hot: usize,
    /// Distribution of arrivals over time
    #[arg(long, value_enum, default_value_t = LoadArrivals::Poisson)]
    pub arrivals: LoadArrivals,
    /// Operations in flight; more are dropped and counted
    #[arg(long, default_value_t = 256, value_name = "N", value_parser = count)]
    pub in_flight: usize,
    /// How long an operation without a response is retried
    #[arg(long, default_value = "20s", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub patience: Duration,
    /// Add operations over the older cart REST
    #[arg(long)]
    pub rest: bool,
    /// The cart REST to use; implies --rest [default: this machine's]
    #[arg(long, value_name = "URL")]
    pub rest_url: Option<Url>,
    /// Weight of REST operations in the mix
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub rest_weight: u32,
    /// Where to read the server's memory, at /metrics [default: this machine's, without --url]
    #[arg(long, value_name = "URL")]
    pub admin_url: Option<Url>,
    /// Print the summary as JSON, or write it to this file too
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    pub json: Option<Option<PathBuf>>,
}

/// How arrivals are spread over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LoadArrivals {
    /// Independent of each other, as of people
    Poisson,
    /// At equal intervals
    Fixed,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 100_000.0 => Ok(rate),
        Ok(_) | Err(_) => Err("must be a number greater than 0 and at most 100000".into()),
    }
}

fn count(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(count) if (1..=100_000).contains(&count) => Ok(count),
        Ok(_) | Err(_) => Err("must be an integer from 1 to 100000".into()),
    }
}

pub(super) const LOAD: &str = "\
Examples:
  marketplace load                              50 operations/s for 30 s
  marketplace load --subscribers 100 --json run.json
  marketplace load --rate 500 --duration 5m --hot 1 --seed 7
  marketplace load --mix browse=90,add=10 --url http://127.0.0.1:14000

The mix: browse=30,add=24,checkout=12,pay=9,cancel=2,comment=5,history=13,
refusal=5; an operation that is left out does not occur.

Arrivals do not wait for the server, and latency is measured from the moment at
which an operation was due. Mutations have idempotency keys and are retried
while their outcome is unknown. An operator restocks what runs out. Each
subscriber checks that no version of an order is lost or repeated. Exit code 1:
an unexpected error, or a frame that was lost or repeated.";
