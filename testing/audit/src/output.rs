//! What a run says, on standard output.

use std::io::Write as _;

/// Writes a line. A reader that has left is no reason to stop.
pub(crate) fn line(text: &str) {
    writeln!(std::io::stdout().lock(), "{text}").ok();
}
