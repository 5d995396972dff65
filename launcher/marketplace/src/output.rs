//! Prints results on stdout and progress on stderr. A closed pipe does not stop the program.

use std::io::Write as _;

/// Writes a result to stdout.
pub(crate) fn result(text: &str) {
    ignore_closed(std::io::stdout().lock().write_all(text.as_bytes()));
}

/// Writes a line of progress to stderr.
pub(crate) fn progress(service: &'static str, line: &str) {
    ignore_closed(writeln!(std::io::stderr().lock(), "  {service:<12} {line}"));
}

fn ignore_closed(written: std::io::Result<()>) {
    if let Err(error) = written {
        tracing::trace!(%error, "the reader has closed its end");
    }
}
