//! A child process that never outlives its parent.
//!
//! Next to each child runs a watchdog, a small `sh` that reads a pipe from the parent. The kernel closes the pipe
//! when the parent ends, however it ends; the watchdog then stops the child. A parent-death signal would not do: it
//! is bound to the thread that started the child, and an async runtime retires threads at will.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::Error;
use crate::process::{Identity, Signal, send};

/// How long a child may take to stop before it is killed.
pub const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Arguments: a folder to remove afterwards, or nothing. Input: `PID SIGNAL`, then `done` when the parent has seen
/// the child end. The end of the input without `done` means that the parent is gone.
const WATCHDOG: &str = r#"
trap '' INT TERM HUP QUIT
read -r pid signal || exit 0
read -r done && exit 0
kill -s "$signal" "$pid" 2>/dev/null
i=0
while kill -0 "$pid" 2>/dev/null && [ "$i" -lt 100 ]; do sleep 0.1; i=$((i + 1)); done
kill -s KILL "$pid" 2>/dev/null
[ -n "$1" ] && rm -rf "$1"
exit 0
"#;

/// A running child with its watchdog. Dropping it stops the child in the background.
#[derive(Debug)]
pub struct Supervised {
    name: &'static str,
    child: Child,
    stop_signal: Signal,
    watchdog: Option<(Child, ChildStdin)>,
    ended: Option<ExitStatus>,
    last_work: Option<&'static str>,
}

/// Where a child's output goes.
#[derive(Debug, Clone, Copy)]
pub enum Output<'a> {
    /// Appended to a file.
    Log(&'a Path),
    /// The parent's own stdout and stderr.
    Inherit,
}

impl Supervised {
    /// Starts `command` in a process group of its own, so that Ctrl-C in a terminal reaches the parent alone and the
    /// parent decides the order of the stop. `cleanup` is removed by the watchdog when the parent dies first.
    ///
    /// # Errors
    /// When the log cannot be opened or the program cannot be run.
    pub fn start(
        name: &'static str,
        mut command: Command,
        output: Output<'_>,
        stop_signal: Signal,
        cleanup: Option<&Path>,
    ) -> Result<Self, Error> {
        command.stdin(Stdio::null()).process_group(0);
        if let Output::Log(path) = output {
            let log = File::options()
                .create(true)
                .append(true)
                .mode(0o600)
                .open(path)
                .map_err(Error::file(path))?;
            let second = log.try_clone().map_err(Error::file(path))?;
            command.stdout(log).stderr(second);
        }
        let mut watchdog = start_watchdog(cleanup)?;
        let program = PathBuf::from(command.get_program());
        let child = command.spawn().map_err(|source| Error::Spawn {
            program: program.display().to_string(),
            source,
        })?;
        writeln!(watchdog.1, "{} {}", child.id(), stop_signal.name()).map_err(|source| {
            Error::Spawn {
                program: "the watchdog".into(),
                source,
            }
        })?;
        Ok(Self {
            name,
            child,
            stop_signal,
            watchdog: Some(watchdog),
            ended: None,
            last_work: None,
        })
    }

    /// Says what the child does after it was asked to stop: to kill it meanwhile is no fault then.
    pub(crate) fn has_last_work(&mut self, what: &'static str) {
        self.last_work = Some(what);
    }

    /// The child's pid.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Writes pid and start time to `file`, for a later start that finds the child orphaned.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn record(&self, file: &Path) -> Result<(), Error> {
        match Identity::of(self.pid()) {
            Some(identity) => identity.record(file),
            None => Ok(()), // it has ended already, which the caller is about to notice
        }
    }

    /// How the child ended, or `None` while it runs.
    pub fn try_wait(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none()
            && let Ok(Some(status)) = self.child.try_wait()
        {
            self.ended = Some(status);
            self.release_watchdog();
        }
        self.ended
    }

    /// Waits for the child's end. Cancel safe.
    pub async fn wait(&mut self) -> ExitStatus {
        loop {
            if let Some(status) = self.try_wait() {
                return status;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Asks the child to stop and kills it after `limit`. Cancel safe: a stop that was begun may be repeated.
    pub async fn stop(&mut self, limit: Duration) -> ExitStatus {
        if let Some(status) = self.try_wait() {
            return status;
        }
        send(self.pid(), self.stop_signal);
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if let Some(status) = self.try_wait() {
                return status;
            }
            sleep(Duration::from_millis(20)).await;
        }
        let (name, pid) = (self.name, self.pid());
        match self.last_work {
            Some(work) => {
                tracing::info!(
                    process.name = name,
                    process.pid = pid,
                    work,
                    "is ended early"
                );
            }
            None => {
                tracing::warn!(
                    process.name = name,
                    process.pid = pid,
                    "did not stop in time, killing it"
                );
            }
        }
        self.kill().await
    }

    /// Kills the child at once, as a crash of the machine's software would.
    pub async fn kill(&mut self) -> ExitStatus {
        if self.try_wait().is_none() && self.child.kill().is_err() {
            tracing::debug!(
                process.name = self.name,
                "was gone before it could be killed"
            );
        }
        self.wait().await
    }

    fn release_watchdog(&mut self) {
        let Some((mut watchdog, mut stdin)) = self.watchdog.take() else {
            return;
        };
        if writeln!(stdin, "done").is_err() {
            tracing::debug!(
                process.name = self.name,
                "the watchdog was gone before its child"
            );
        }
        drop(stdin);
        if let Err(error) = watchdog.wait() {
            tracing::debug!(%error, process.name = self.name, "cannot reap the watchdog");
        }
    }
}

fn start_watchdog(cleanup: Option<&Path>) -> Result<(Child, ChildStdin), Error> {
    let mut command = Command::new("sh");
    command
        .args(["-c", WATCHDOG, "watchdog"])
        .arg(cleanup.unwrap_or(Path::new("")));
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut watchdog = command
        .process_group(0)
        .current_dir("/")
        .spawn()
        .map_err(|source| Error::Spawn {
            program: "sh".into(),
            source,
        })?;
    let stdin = watchdog.stdin.take().expect("stdin is piped");
    Ok((watchdog, stdin))
}

/// The last lines of a log, for an error message.
pub(crate) fn tail(log: &Path) -> String {
    let text = std::fs::read(log)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
