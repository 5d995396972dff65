//! Flags of the commands about an `up` that runs in this folder.

use std::time::Duration;

use clap::{Args, ValueEnum};

/// Flags of `status`.
#[derive(Debug, Args)]
pub struct Status {
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `stop`.
#[derive(Debug, Args)]
pub struct Stop {
    /// How long to wait for its end
    #[arg(long, default_value = "30s", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
}

/// Flags of `logs`.
#[derive(Debug, Args)]
pub struct Logs {
    /// router, cart, loms, comments, notifier, product, kafka or postgres [default: all services]
    pub service: Option<String>,
    /// Print the lines that come as well, until Ctrl-C
    #[arg(short, long)]
    pub follow: bool,
    /// How many of the last lines to print
    #[arg(short = 'n', long, default_value_t = 100, value_name = "N")]
    pub lines: usize,
    /// Only lines of this level and of worse ones
    #[arg(long, value_enum, default_value_t = Level::Trace)]
    pub level: Level,
    /// Print the lines as JSON
    #[arg(long)]
    pub json: bool,
}

/// How bad it is that a line was written, from the worst on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Level {
    /// Somebody must act
    Error,
    /// Something is worse than it should be
    Warn,
    /// A change of state
    Info,
    /// What goes well
    Debug,
    /// Everything
    Trace,
}

impl Level {
    /// Whether a line of the level of this name is as bad; one that nobody knows is.
    pub(crate) fn takes(self, name: &str) -> bool {
        Self::from_str(name, true).map_or(true, |level| level <= self)
    }
}

/// Arguments of `open`.
#[derive(Debug, Args)]
pub struct Open {
    /// The page
    #[arg(value_enum, default_value_t = Page::Playground)]
    pub page: Page,
}

/// A page of the router.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Page {
    /// GraphiQL with ten operations
    Playground,
    /// A shop to buy in
    Shop,
    /// Order events as they happen
    Live,
    /// The operators' console
    Ops,
}

/// Arguments of `token`.
#[derive(Debug, Args)]
pub struct Token {
    /// The user's id
    pub user: i64,
    /// For an operator, who sees and may do everything
    #[arg(long)]
    pub ops: bool,
    /// How long it is valid [default: router.demo_token_ttl]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub ttl: Option<Duration>,
}

pub(super) const TOKEN: &str = "\
Examples:
  TOKEN=$(marketplace token 1)
  marketplace token 9 --ops --ttl 5m

It is signed with the key of this folder's marketplace, for demonstrations only:
the profile production has no such issuer.";
