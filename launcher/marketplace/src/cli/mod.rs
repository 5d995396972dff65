//! The command line. What every command shares is in [`Common`]; the help texts are the product's first manual.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::settings::broker::Broker;

mod dead_letters;
mod load;
mod running;

use self::dead_letters::DEAD_LETTERS;
use self::load::LOAD;
pub use self::{
    dead_letters::{DeadLetterAction, DeadLetters, ReplayWhich},
    load::{Load, LoadArrivals},
    running::{Level, Logs, Open, Page, Status, Stop, Token},
};

/// A shop back end: carts, orders, comments and live order events behind one GraphQL graph, REST and gRPC.
#[derive(Debug, Parser)]
#[command(name = "marketplace", version, propagate_version = true, max_term_width = 80, after_long_help = EXAMPLES)]
pub struct Cli {
    /// What every command shares.
    #[command(flatten)]
    pub common: Common,
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags that every command takes; they win over the environment and the file.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Common {
    /// Settings file [default: marketplace.toml, if it exists]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder for data, logs and keys [default: .marketplace]
    #[arg(long, global = true, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Add this number to every port, so that two marketplaces can run side by side
    #[arg(long, global = true, value_name = "N")]
    pub port_offset: Option<u16>,
    /// Port of the Kafka that `up` starts [default: 9092]
    #[arg(long, global = true, value_name = "PORT")]
    pub kafka_port: Option<u16>,
    /// Port of the Postgres that `up` starts [default: 5433]
    #[arg(long, global = true, value_name = "PORT")]
    pub postgres_port: Option<u16>,
    /// Commit changes of orders that arrive together in one transaction [default: on]
    #[arg(long, global = true, value_enum, value_name = "SWITCH")]
    pub group_commit: Option<Switch>,
    /// Set one setting, as in --set router.listen=127.0.0.1:4400; may be repeated
    #[arg(long, global = true, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// The flag `--broker` of `up`, which is a setting as well.
    #[arg(skip)]
    pub broker: Option<Broker>,
    /// The flag `--brokers` of `up`, which is a setting as well.
    #[arg(skip)]
    pub brokers: Option<u8>,
    /// The one process whose settings they are; every one's unless told.
    #[arg(skip)]
    pub process: Option<Process>,
}

/// A command that runs beside the others in a process of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Process {
    /// The router
    Router,
    /// The cart service
    Cart,
    /// The order service
    Loms,
    /// The comments service
    Comments,
    /// The notifier
    Notifier,
    /// The product service
    ProductService,
    /// `migrate` and `seed`
    Migrate,
}

/// A setting that is on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// Yes
    On,
    /// No
    Off,
}

impl Cli {
    /// The flags that are settings, whichever command takes them.
    #[must_use]
    pub fn settings_flags(&self) -> Common {
        let (broker, brokers) = match &self.command {
            Command::Up(up) => (up.broker, up.brokers),
            _ => (None, None),
        };
        Common {
            broker,
            brokers,
            process: self.command.process(),
            ..self.common.clone()
        }
    }
}

impl Command {
    /// The one process that the command runs, or asks about.
    const fn process(&self) -> Option<Process> {
        match self {
            Self::Router => Some(Process::Router),
            Self::Cart => Some(Process::Cart),
            Self::Loms => Some(Process::Loms),
            Self::Comments => Some(Process::Comments),
            Self::Notifier => Some(Process::Notifier),
            Self::ProductService => Some(Process::ProductService),
            Self::Migrate(_) | Self::Seed => Some(Process::Migrate),
            Self::Config(Config {
                action: ConfigAction::Print { process, .. },
            }) => *process,
            _ => None,
        }
    }
}

/// Every command of the program.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the whole marketplace on this machine: Postgres, Kafka, and every service
    #[command(after_long_help = UP)]
    Up(Up),
    /// Run the router: GraphQL, playground, streams (4000), admin (4001), REST (8080, 8081, 8084, 8086)
    #[command(after_long_help = ROUTER)]
    Router,
    /// Run the cart subgraph (4101)
    Cart,
    /// Run the order service: gRPC (8083), subgraph (4102), relay to Kafka
    Loms,
    /// Run the comments service: gRPC (8085), subgraph (4103)
    Comments,
    /// Run the notifier, a consumer of the order events
    Notifier,
    /// Run the mock product service (8082)
    ProductService,
    /// Migrate the databases up or down, or show their state
    Migrate(Migrate),
    /// Load the catalogue's stock into the order service's database; existing rows stay
    Seed,
    /// Check this machine; exit code 1 if `up` would refuse; print what mends it
    Doctor(Doctor),
    /// Delete the data, logs and keys of this folder's `up`; refused while it runs
    CleanData,
    /// Show what runs in this folder: ports, readiness, memory; exit code 1 if a part is not well
    Status(Status),
    /// Stop this folder's `up`, as Ctrl-C would, and wait until it has stopped
    Stop(Stop),
    /// Show a page of this folder's `up` in the browser
    Open(Open),
    /// Show the log lines of this folder's `up`, of one service or of all
    Logs(Logs),
    /// Print a token of the demo's issuer
    #[command(after_long_help = running::TOKEN)]
    Token(Token),
    /// Put load on a running marketplace, and check every response and every frame
    #[command(after_long_help = LOAD)]
    Load(Box<Load>),
    /// Check the promises in the databases and the topic; exit code 1 if one is broken
    #[command(after_long_help = VERIFY)]
    Verify(Verify),
    /// Send the order events again that the topic has lost
    #[command(after_long_help = RESEND)]
    Resend,
    /// List, replay or delete the notifier's dead letters
    #[command(after_long_help = DEAD_LETTERS)]
    DeadLetters(DeadLetters),
    /// Print the settings in force, or the reference of all settings
    Config(Config),
    /// Print a subgraph's schema (cart, loms, comments, events), the supergraph, or api
    Sdl(Sdl),
    /// Print a shell's completion script
    #[command(after_long_help = COMPLETIONS)]
    Completions(Completions),
    /// Print the OpenAPI document of a REST interface: loms, comments, product
    Openapi(Openapi),
}

/// Flags of `up`.
#[derive(Debug, Args)]
pub struct Up {
    /// Run each service as a process of its own, restarted when it dies
    #[arg(long)]
    pub processes: bool,
    /// The broker to start when no other is named [default: kafka]
    #[arg(long, value_enum)]
    pub broker: Option<Broker>,
    /// Brokers to start as a cluster, from 1 to 5; each takes 300 to 400 MB [default: 1]
    #[arg(long, value_name = "N")]
    pub brokers: Option<u8>,
}

/// Flags of `doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Print the findings as JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// How long to wait for unfinished work
    #[arg(long, default_value = "30s", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub settle: Duration,
    /// Print the findings as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Flags of `migrate`.
#[derive(Debug, Args)]
pub struct Migrate {
    /// What to do
    #[arg(value_enum, default_value_t = Direction::Up)]
    pub direction: Direction,
    /// Print the state as JSON
    #[arg(long)]
    pub json: bool,
}

/// Which way a migration goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Direction {
    /// Create missing databases and apply what is pending
    Up,
    /// Revert every migration, which deletes all data
    Down,
    /// Show applied and pending migrations
    Status,
}

/// Subcommands of `config`.
#[derive(Debug, Args)]
pub struct Config {
    /// What to print
    #[command(subcommand)]
    pub action: ConfigAction,
}

/// What to do with the settings.
#[derive(Debug, Subcommand)]
pub enum ConfigAction {
    /// Print every setting in force and where its value comes from; secrets are masked
    Print {
        /// Output format
        #[arg(long, value_enum, default_value_t = ConfigFormat::Toml)]
        format: ConfigFormat,
        /// The same as --format json
        #[arg(long, conflicts_with = "format")]
        json: bool,
        /// Refuse what this one process would refuse, not what any would
        #[arg(long, value_enum)]
        process: Option<Process>,
    },
    /// Print all settings: name, variable, values, default and meaning
    Reference {
        /// Output format
        #[arg(long, value_enum, default_value_t = ReferenceFormat::Markdown)]
        format: ReferenceFormat,
    },
}

/// How settings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ConfigFormat {
    /// A settings file with the origin of each value as a comment
    Toml,
    /// A list of objects: setting, value, origin, variable
    Json,
}

/// How the reference is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReferenceFormat {
    /// The page docs/configuration.md
    Markdown,
    /// The JSON Schema of marketplace.toml, for editors
    JsonSchema,
}

/// Arguments of `sdl`.
#[derive(Debug, Args)]
pub struct Sdl {
    /// The subgraph, or the supergraph
    #[arg(value_enum)]
    pub of: Schema,
}

/// Arguments of `openapi`.
#[derive(Debug, Args)]
pub struct Openapi {
    /// The REST interface
    #[arg(value_enum)]
    pub of: Document,
}

/// Whose OpenAPI document to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Document {
    /// Cart's REST.
    Cart,
    /// The LOMS gateway
    Loms,
    /// The comments gateway
    Comments,
    /// The product service
    Product,
}

/// Whose schema to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Schema {
    /// The cart subgraph, generated from the code
    Cart,
    /// The order subgraph, generated from the code
    Loms,
    /// The comments subgraph, generated from the code
    Comments,
    /// The subgraph of live events, which the router serves
    Events,
    /// The composed supergraph, as committed
    Supergraph,
    /// What clients of the built-in supergraph may ask
    Api,
}

const EXAMPLES: &str = "\
Examples:
  marketplace up                         everything in one process; Ctrl-C stops it
  marketplace up --processes             one process for each service
  marketplace up --port-offset 10000     a second marketplace: GraphQL on port 14000
  marketplace status                     what runs here, and whether it is well
  marketplace open shop                  a page of it, in the browser
  marketplace open ops                   services, traces, logs and faults of it
  marketplace logs loms -f               what the order service says
  marketplace stop                       the end of it
  marketplace doctor                     what this machine is missing
  marketplace config print               every setting and its origin
  marketplace load                       load for 30 seconds

Settings come from defaults, marketplace.toml, MARKETPLACE_* variables and flags;
later ones win. The variable of comments.edit_window is
MARKETPLACE_COMMENTS_EDIT_WINDOW. With the suffix _FILE it names a file that
contains the value.

Ports, all on 127.0.0.1:
  4000 GraphQL, playground    8080 cart REST             9092 Kafka
  4001 metrics, health        8081, 8084 order gateway   5433 Postgres
  4101-4103 subgraphs         8082 product service       4104 notifier
  8083 order gRPC             8085 comments gRPC         8086 comments gateway
  4005 operators' console";

const UP: &str = "\
`up` uses the servers that you name and starts its own otherwise:
  DATABASE_URL    a Postgres server; without it, a private cluster from the
                  machine's binaries
  KAFKA_BROKERS   Kafka brokers; without it, one Apache Kafka node on the
                  machine's Java (17 or newer), or --brokers 3 as a cluster

Maven downloads Kafka once. On Debian and Ubuntu, as root or with a sudo that
needs no password, `up` announces and installs a missing Java, Maven or
Postgres; elsewhere it prints the command. Without Java, `--broker mock` is
enough to look around, but it keeps no event.

Data, logs and keys are in .marketplace (--state-dir). With --processes the pid
of each service is in .marketplace/run/NAME.pid. To kill one:
  kill -9 $(cut -d' ' -f1 .marketplace/run/loms.pid)

With --brokers 3 each of three brokers can be killed as well, by the pid in
.marketplace/run/kafka-N.pid; an event has three copies, two before it counts.";

const ROUTER: &str = "\
It serves the shop's own supergraph unless router.supergraph names another, a
file or a URL. It then is a federation router for any graph: it needs no broker,
no database and no service of the shop, and takes in a new supergraph while it
runs. docs/router.md has the details.

Examples:
  marketplace router
  marketplace router --set router.supergraph=supergraph.graphql
  marketplace router --set router.supergraph=https://registry.example/graph
  kill -HUP PID    look at once whether there is another supergraph";

const COMPLETIONS: &str = "\
For this session:
  source <(marketplace completions bash)          bash
  source <(marketplace completions zsh)           zsh
  marketplace completions fish | source           fish";

const VERIFY: &str = "\
Examples:
  marketplace verify               the marketplace of this folder's `up`
  marketplace verify --settle 0s   at once, with unfinished work
  marketplace verify --json        for programs

It changes nothing. docs/reliability.md explains each promise.";

const RESEND: &str = "\
A topic that was deleted, or that lost its end with a disk, has lost events that
the outbox calls sent. This compares both and has the relay send what is missing,
each order's events in the order of their versions. Consumers drop what they
know already. What the topic's retention removed is not sent again.

Examples:
  marketplace verify               I6 names what is missing
  marketplace resend
  marketplace verify               holds again";

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_help_text_fits_eighty_columns() {
        let mut root = Cli::command();
        root.build();
        let mut commands = vec![root];
        let mut wide = Vec::new();
        while let Some(mut command) = commands.pop() {
            let help = command.render_long_help().to_string();
            let lines = help.lines().filter(|line| line.chars().count() > 80);
            wide.extend(lines.map(|line| format!("{}: {line}", command.get_name())));
            commands.extend(command.get_subcommands().cloned());
        }
        assert!(wide.is_empty(), "{}", wide.join("\n"));
    }

    #[test]
    fn shared_flags_may_follow_the_command() {
        let cli = Cli::parse_from(["marketplace", "up", "--port-offset", "10000", "--processes"]);
        assert_eq!(cli.common.port_offset, Some(10_000));
        assert!(matches!(
            cli.command,
            Command::Up(Up {
                processes: true,
                ..
            })
        ));
    }
}
