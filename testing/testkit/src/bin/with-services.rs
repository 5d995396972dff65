//! Runs a command with a throw-away `PostgreSQL` and Kafka: `with-services COMMAND [ARGUMENT...]`.
//!
//! The command finds them in `TEST_POSTGRES_URL` and `TEST_KAFKA_BROKERS`. Its exit code becomes ours.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use dev_services::Progress;
use testkit::Services;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let program = arguments
        .next()
        .context("usage: with-services COMMAND [ARGUMENT...]")?;
    let services = Services::start(&Progress::new(report)).await?;
    let mut command = tokio::process::Command::new(&program);
    command
        .args(arguments)
        .envs(services.environment())
        .kill_on_drop(true);
    let ended = async {
        let mut child = command
            .spawn()
            .with_context(|| format!("running {}", program.display()))?;
        // Ctrl-C reaches the command from the terminal; we only outlive it to stop the services.
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        loop {
            tokio::select! {
                status = child.wait() => return anyhow::Ok(status?),
                _ = interrupt.recv() => {}
                _ = terminate.recv() => child.start_kill()?,
            }
        }
    };
    let ended = ended.await;
    services.stop().await;
    let code = ended?.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

fn report(service: &'static str, line: &str) {
    let written = writeln!(std::io::stderr().lock(), "{service}: {line}");
    if let Err(error) = written {
        tracing::debug!(%error, "stderr is closed");
    }
}
