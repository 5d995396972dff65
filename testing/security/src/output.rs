//! What the suite prints.

use std::io::Write as _;

/// Prints one line of a report.
///
/// # Errors
/// When standard output is gone.
pub(crate) fn print(line: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{line}")?)
}

/// Prints on standard error why an attack failed: what the error tells line by line, and as the last line the attack and the sum.
/// There is no backtrace, which would stand below it.
///
/// # Errors
/// When standard error is gone.
pub(crate) fn print_failure(attack: &str, error: &anyhow::Error) -> std::io::Result<()> {
    let mut out = std::io::stderr().lock();
    for line in failure(attack, &format!("{error:#}")) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// The lines, the first of the sentence last.
fn failure(attack: &str, sentence: &str) -> Vec<String> {
    let mut lines = sentence.lines();
    let sum = lines.next().unwrap_or("no reason given");
    let details = lines.map(str::to_owned);
    let last = std::iter::once(format!("security {attack} FAILED: {sum}"));
    details.chain(last).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seen red with the lines in the order of the sentence.
    #[test]
    fn the_last_line_names_the_attack_and_the_sum() {
        let lines = failure("abuse", "2 of 30 abuses\nfirst\nsecond");
        assert_eq!(
            lines,
            ["first", "second", "security abuse FAILED: 2 of 30 abuses"]
        );
        assert_eq!(failure("fuzz", "why"), ["security fuzz FAILED: why"]);
    }
}
