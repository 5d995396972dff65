//! What the suite prints.

use std::io::Write as _;

/// Prints one line of a report.
///
/// # Errors
/// When standard output is gone.
pub(crate) fn print(line: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{line}")?)
}
