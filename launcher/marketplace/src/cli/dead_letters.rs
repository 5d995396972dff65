//! `marketplace dead-letters`: its subcommands and flags.

use clap::{Args, Subcommand};

/// Subcommands of `dead-letters`.
#[derive(Debug, Args)]
pub struct DeadLetters {
    /// What to do
    #[command(subcommand)]
    pub action: DeadLetterAction,
}

/// What to do with dead letters.
#[derive(Debug, Subcommand)]
pub enum DeadLetterAction {
    /// One line each: number, kind, time, partition/offset, reason
    List {
        /// Print one JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Print everything about one, as JSON
    Show {
        /// Its number
        id: i64,
    },
    /// Delete one; it is printed a last time, as JSON
    Delete {
        /// Its number
        id: i64,
    },
    /// Handle them again; those that succeed are removed
    Replay {
        /// Which of them
        #[command(flatten)]
        which: ReplayWhich,
        /// Print what would happen, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
}

/// Which dead letters are replayed.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct ReplayWhich {
    /// The one with this number
    #[arg(long, value_name = "N")]
    pub id: Option<i64>,
    /// All of them, oldest first
    #[arg(long)]
    pub all: bool,
}

pub(super) const DEAD_LETTERS: &str = "\
Examples:
  marketplace dead-letters list
  marketplace dead-letters replay --all --dry-run
  marketplace dead-letters replay --id 7
  marketplace dead-letters delete 7

A replayed event takes effect once and prints its line here, on standard output.
An event that the webhook's receiver refused goes back to the webhook's queue.
Exit code 1: a message is still not handled, or there is no such dead letter.";
