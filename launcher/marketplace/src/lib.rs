//! The launcher: one binary with a subcommand for each process, and `up` for a developer's machine.
//!
//! Invariants: the same code and settings run in one process and in many; `up` stops everything that it started, in
//! reverse order, and nothing else. Start reading at [`cli`], then [`up`].

pub mod cli;
mod command;
mod copies;
mod durability;
mod exit;
mod http;
pub mod keys;
mod output;
pub mod services;
pub mod settings;
mod signals;
pub mod up;
pub mod verify;

use std::os::unix::process::CommandExt as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use chassis::config::{Loaded, Origin, Renamed};
use chassis::{listen, telemetry};
use clap::Parser as _;
use dev_services::environment;

use crate::cli::{Cli, Command};
use crate::settings::Settings;
use crate::up::stores;

/// How long the process waits for threads that a client library blocks, once all services have stopped.
const LINGER: Duration = Duration::from_millis(500);

/// The whole program: parses the command line, runs the command, and prints the error that stopped it.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => {
            let outcome = runtime.block_on(Box::pin(run(cli)));
            // Dropping the runtime would wait without end for a blocked thread, and "clean stop" is a promise.
            runtime.shutdown_timeout(LINGER);
            outcome
        }
        Err(error) => Err(error.into()),
    };
    outcome.unwrap_or_else(|error| exit::with_error(&error))
}

/// Runs one command to its end.
///
/// # Errors
/// What stopped it, with what to do about it.
pub async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    if let Command::Sdl(sdl) = &cli.command {
        command::sdl::run(sdl.of)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Command::Openapi(openapi) = &cli.command {
        command::openapi::run(openapi.of);
        return Ok(ExitCode::SUCCESS);
    }
    if let Command::Completions(completions) = &cli.command {
        command::completions::run(completions.shell);
        return Ok(ExitCode::SUCCESS);
    }
    let flags = cli.settings_flags();
    if let Command::Config(config) = &cli.command {
        command::config::run(&config.action, &flags)?;
        return Ok(ExitCode::SUCCESS);
    }
    let loaded = Settings::load_with_origins(&flags)?;
    let settings = loaded.settings.clone();
    if stores::external_postgres(&settings).is_none() {
        leave_libpq_variables()?;
    }
    match &cli.command {
        Command::Doctor(doctor) => return command::doctor::run(&settings, doctor.json).await,
        Command::CleanData => command::clean::run(&settings)?,
        Command::Status(status) => return command::status::run(&settings, status.json).await,
        Command::Stop(stop) => command::stop::run(&settings, stop.timeout).await?,
        Command::Open(open) => command::open::run(&settings, open.page)?,
        Command::Logs(logs) => command::logs::run(&settings, logs).await?,
        Command::Token(token) => {
            command::token::run(&settings, token.user, token.ops, token.ttl)?;
        }
        Command::Config(_) | Command::Sdl(_) | Command::Openapi(_) | Command::Completions(_) => {}
        Command::Load(load) => return command::load::run(&settings, load).await,
        Command::DeadLetters(letters) => {
            return command::dead_letters::run(&settings, &letters.action).await;
        }
        Command::Verify(flags) => return command::verify::run(&settings, flags).await,
        Command::Resend => command::resend::run(&settings).await?,
        running => {
            let mut settings = settings;
            if let Command::Up(_) = running {
                settings.keep_recent();
            }
            let telemetry = telemetry::init(&settings.telemetry, name(running))
                .with_context(|| describe_origins(&loaded))?;
            for Renamed { old, new, origin } in loaded.renamed() {
                tracing::warn!(old, new, %origin, "a setting has a new name: write the new one");
            }
            listen::raise_limit();
            let allowed_hosts = settings.router.http.allowed_hosts.clone();
            listen::install(settings.connections.clone(), allowed_hosts);
            let outcome = Box::pin(start(settings, &cli)).await;
            telemetry.shut_down().await;
            outcome?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Goes on without the variables that lead libpq to another server than the private cluster of `up`; they would reach it
/// through every connection. Nothing has been started yet: the program takes its own place.
fn leave_libpq_variables() -> anyhow::Result<()> {
    let set = environment::libpq_variables();
    if set.is_empty() {
        return Ok(());
    }
    let program = std::env::current_exe().context("finding this program's own path")?;
    let mut again = std::process::Command::new(program);
    again.args(std::env::args_os().skip(1));
    for name in &set {
        again.env_remove(name);
    }
    let error = again.exec();
    Err(error).with_context(|| format!("starting again without {}", set.join(", ")))
}

async fn start(settings: Settings, cli: &Cli) -> anyhow::Result<()> {
    match &cli.command {
        Command::Up(options) => Box::pin(up::run(settings, &cli.common, options)).await,
        Command::Migrate(migrate) => command::migrate::run(settings, migrate).await,
        Command::Seed => command::migrate::seed(settings).await,
        service => Box::pin(command::service::run(settings, service)).await,
    }
}

/// The origins of the telemetry settings that are not defaults.
fn describe_origins(loaded: &Loaded<Settings>) -> String {
    let settings = ["log_filter", "otlp_endpoint", "trace_sample_ratio"];
    let origins = settings.map(|name| (name, loaded.origin(&format!("telemetry.{name}"))));
    let given = origins.into_iter().filter(|(_, it)| *it != Origin::Default);
    let described: Vec<_> = given
        .map(|(name, origin)| format!("{name} from {origin}"))
        .collect();
    format!("telemetry cannot start ({})", described.join(", "))
}

/// The process's name in logs and traces.
fn name(command: &Command) -> &'static str {
    match command {
        Command::Up(_)
        | Command::Config(_)
        | Command::CleanData
        | Command::Status(_)
        | Command::Stop(_)
        | Command::Open(_)
        | Command::Logs(_)
        | Command::Token(_)
        | Command::Doctor(_)
        | Command::Load(_)
        | Command::DeadLetters(_)
        | Command::Verify(_)
        | Command::Resend
        | Command::Completions(_)
        | Command::Openapi(_)
        | Command::Sdl(_) => "marketplace",
        Command::Router => "router",
        Command::Cart => "cart",
        Command::Loms => "loms",
        Command::Comments => "comments",
        Command::Notifier => "notifier",
        Command::ProductService => "product-service",
        Command::Migrate(_) => "migrate",
        Command::Seed => "seed",
    }
}
