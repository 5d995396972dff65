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
