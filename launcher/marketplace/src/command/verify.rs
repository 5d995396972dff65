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
        output::result(&closing(&findings));
    }
    Ok(if findings.iter().all(Finding::holds) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What it comes to, in one line.
fn closing(findings: &[Finding]) -> String {
    let broken = findings.iter().filter(|it| !it.holds()).count();
    match (broken, findings.len()) {
        (0, all) => format!("\nall {all} promises hold\n"),
        (broken, all) => format!("\n{broken} of {all} promises are BROKEN\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_says_what_it_comes_to() {
        let finding = |broken| Finding {
            id: "P1",
            promise: "a promise",
            checked: 3,
            broken,
            examples: Vec::new(),
        };
        let holds = closing(&[finding(0), finding(0)]);
        assert_eq!(holds, "\nall 2 promises hold\n");
        let broken = closing(&[finding(0), finding(1)]);
        assert_eq!(broken, "\n1 of 2 promises are BROKEN\n");
    }
}
