//! Programs that run to their end: `initdb`, Maven, `apt-get`.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::{Instant, interval};

use crate::{Error, Progress};

/// Runs `command` to its end and returns what it wrote to stdout.
///
/// # Errors
/// When it cannot be run, or ends with a failure; the error carries the end of its output.
///
/// # Cancel safety
/// Dropping the future kills the program.
pub(crate) async fn to_end(what: &str, command: &mut Command) -> Result<String, Error> {
    let program = command
        .as_std()
        .get_program()
        .to_string_lossy()
        .into_owned();
    let output = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|source| Error::Spawn { program, source })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    Err(Error::Failed {
        what: what.to_owned(),
        output: ends(&text),
    })
}

/// The first and the last lines: a Java program says its cause first, a build tool last.
fn ends(text: &str) -> String {
    const FIRST: usize = 3;
    const LAST: usize = 12;
    let lines: Vec<&str> = text.trim().lines().collect();
    let Some(left_out) = lines.len().checked_sub(FIRST + LAST).filter(|it| *it > 0) else {
        return lines.join("\n");
    };
    let (first, last) = (&lines[..FIRST], &lines[FIRST + left_out..]);
    format!(
        "{}\n({left_out} lines)\n{}",
        first.join("\n"),
        last.join("\n")
    )
}

/// Runs `command` as [`to_end`] does and reports a line of progress each second; `line` gets the elapsed seconds.
///
/// # Errors
/// As [`to_end`].
pub(crate) async fn with_progress(
    what: &str,
    command: &mut Command,
    service: &'static str,
    progress: &Progress,
    line: impl Fn(u64) -> String,
) -> Result<String, Error> {
    let started = Instant::now();
    let mut ticks = interval(Duration::from_secs(1));
    let mut work = std::pin::pin!(to_end(what, command));
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = ticks.tick() => progress.say(service, line(started.elapsed().as_secs())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_trace_keeps_its_cause() {
        let trace: Vec<String> = (0..40).map(|number| format!("  at {number}")).collect();
        let shown = ends(&format!("Exception: the cause\n{}\n", trace.join("\n")));
        assert!(shown.starts_with("Exception: the cause\n"), "{shown}");
        assert!(
            shown.contains("(26 lines)") && shown.ends_with("at 39"),
            "{shown}"
        );
        assert_eq!(ends("one\ntwo\n"), "one\ntwo");
    }
}
