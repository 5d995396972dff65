//! What the suite prints: text on standard output, and a bar on a terminal.

use std::io::Write as _;

use crate::point::Point;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Prints `text` as it is and flushes it.
///
/// # Errors
/// When standard output is closed.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// A bar that counts the kills of a round; it is drawn on a terminal only.
pub(crate) fn progress_bar() -> ProgressBar {
    let kills = 2 * Point::ALL.len() as u64;
    let bar = ProgressBar::with_draw_target(Some(kills), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("  [{bar:32}] {pos} of {len} kills, {msg}")
        .expect("the template is well formed");
    bar.set_style(style.progress_chars("=> "));
    bar
}
