//! `marketplace verify`: prints the findings; see [`crate::verify`].

use std::process::ExitCode;

use crate::cli;
use crate::output;
use crate::settings::Settings;
use crate::verify::{self, Finding};

/// Looks, prints, and answers with exit code 1 if a promise is broken.
///
/// # Errors
/// When a store does not answer: then nothing is known.
pub(crate) async fn run(settings: &Settings, flags: &cli::Verify) -> anyhow::Result<ExitCode> {
    let findings = verify::run(settings, flags.settle).await?;
    if flags.json {
        let text = serde_json::to_string_pretty(&findings)?;
        output::result(&(text + "\n"));
    } else {
        output::result(&verify::describe(&findings));
    }
    Ok(if findings.iter().all(Finding::holds) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
