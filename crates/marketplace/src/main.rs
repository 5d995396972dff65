//! `marketplace`: see `marketplace --help`.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use marketplace::cli::Cli;

/// How long the process waits for threads that a client library blocks, once all services have stopped.
const LINGER: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => {
            let outcome = runtime.block_on(Box::pin(marketplace::run(cli)));
            // Dropping the runtime would wait without end for a blocked thread, and "clean stop" is a promise.
            runtime.shutdown_timeout(LINGER);
            outcome
        }
        Err(error) => Err(error.into()),
    };
    outcome.unwrap_or_else(|error| {
        // The chain in one line: what failed, then why.
        let told = writeln!(std::io::stderr().lock(), "marketplace: {error:#}");
        if told.is_ok() {
            ExitCode::FAILURE
        } else {
            ExitCode::from(2)
        }
    })
}
