//! `marketplace`: see `marketplace --help`.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use marketplace::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    match Box::pin(marketplace::run(cli)).await {
        Ok(code) => code,
        Err(error) => {
            // The chain in one line: what failed, then why.
            let told = writeln!(std::io::stderr().lock(), "marketplace: {error:#}");
            if told.is_err() {
                return ExitCode::from(2);
            }
            ExitCode::FAILURE
        }
    }
}
