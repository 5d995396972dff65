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
    /// Operations a second that become due, whatever the server does
    #[arg(long, default_value_t = 50.0, value_name = "N", value_parser = rate)]
    pub rate: f64,
    /// How long, as in 30s or 5m
    #[arg(long, default_value = "30s", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub duration: Duration,
    /// Users that shop; each does one thing at a time
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = count)]
    pub shoppers: usize,
    /// Live subscriptions that check their own frames
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub subscribers: usize,
    /// Repeats a run's arrivals and draws [default: a new one, told in the summary]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Weights of what they do; the default is below
    #[arg(long, default_value_t = Mix::default(), hide_default_value = true, value_name = "NAME=N,...")]
    pub mix: Mix,
    /// Products that get half of all purchases
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = count)]
    pub hot: usize,
    /// How arrivals are spread over time
    #[arg(long, value_enum, default_value_t = LoadArrivals::Poisson)]
    pub arrivals: LoadArrivals,
    /// Operations under way at once; more are counted and dropped
    #[arg(long, default_value_t = 256, value_name = "N", value_parser = count)]
    pub in_flight: usize,
    /// How long an operation without an answer is tried again
    #[arg(long, default_value = "20s", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub patience: Duration,
    /// Adds operations over the older cart REST
    #[arg(long)]
    pub rest: bool,
    /// The cart REST to load; implies --rest [default: this machine's]
    #[arg(long, value_name = "URL")]
    pub rest_url: Option<Url>,
    /// Weight of REST operations in the mix
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub rest_weight: u32,
    /// Where the server tells its memory, at /metrics [default: this machine's, without --url]
    #[arg(long, value_name = "URL")]
    pub admin_url: Option<Url>,
    /// Writes the summary as JSON, too
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// How arrivals are spread over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LoadArrivals {
    /// Independent of each other, as people come
    Poisson,
    /// At equal distances
    Fixed,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 100_000.0 => Ok(rate),
        Ok(_) | Err(_) => Err("it must be a number above 0, at most 100000".into()),
    }
}

fn count(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(count) if (1..=100_000).contains(&count) => Ok(count),
        Ok(_) | Err(_) => Err("it must be a whole number from 1 to 100000".into()),
    }
}

pub(super) const LOAD: &str = "\
Examples:
  marketplace load                              50 operations/s for 30 s
  marketplace load --subscribers 100 --json run.json
  marketplace load --rate 500 --duration 5m --hot 1 --seed 7
  marketplace load --mix browse=90,add=10 --url http://127.0.0.1:14000

The mix: browse=30,add=24,checkout=12,pay=9,cancel=2,comment=5,history=13,
refusal=5; a name that is left out does not come.

Arrivals follow the plan whatever the server does, and a latency counts from the
moment at which the operation was due. Mutations have idempotency keys and are
tried again while their answer is unknown. When a stock runs out, an operator
fills it. Each subscriber checks that no version of an order is missed or comes
twice. Exit code 1: an answer that the plan did not provoke, or a frame that was
lost or repeated.";
