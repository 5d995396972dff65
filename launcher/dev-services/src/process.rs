//! Processes by pid. A pid alone may name a stranger after a restart of the machine, so a process is known by its
//! pid and its start time together, and never by its name.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::Error;

/// How often a process is looked at while waiting for its end.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A signal that the launcher sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Stop, finishing what is in hand.
    Term,
    /// Stop; for `PostgreSQL` the fast shutdown, which ends sessions but keeps every commit.
    Int,
    /// Stop now, as a crash would; for `PostgreSQL` the immediate shutdown.
    Quit,
    /// The kernel ends the process; it learns nothing.
    Kill,
    /// The kernel halts the process until [`Signal::Continue`]; its connections stay open.
    Halt,
    /// A halted process goes on.
    Continue,
}

impl Signal {
    /// The name as `kill -s` spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Term => "TERM",
            Self::Int => "INT",
            Self::Quit => "QUIT",
            Self::Kill => "KILL",
            Self::Halt => "STOP",
            Self::Continue => "CONT",
        }
    }
}

/// Sends a signal. A process that is already gone is not an error, it is what the caller wanted.
pub fn send(pid: u32, signal: Signal) {
    // Through the shell's builtin: the standard library has no kill(2), and unsafe code is forbidden here.
    let sent = Command::new("sh")
        .args(["-c", &format!("kill -s {} {pid}", signal.name())])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if let Err(error) = sent {
        tracing::warn!(%error, pid, "cannot run sh to send a signal");
    }
}

/// A process known by pid and start time, so that a reused pid is never taken for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The process id.
    pub pid: u32,
    started: String,
}

impl Identity {
    /// Identifies a process that runs now.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        Some(Self {
            pid,
            started: start_time(pid)?,
        })
    }

    /// Reads what [`Identity::record`] wrote, if that process still runs.
    #[must_use]
    pub fn find_running(file: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(file).ok()?;
        let (pid, started) = text.trim().split_once(' ')?;
        let recorded = Self {
            pid: pid.parse().ok()?,
            started: started.to_owned(),
        };
        recorded.is_running().then_some(recorded)
    }

    /// Whether this very process still runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        start_time(self.pid).is_some_and(|started| started == self.started)
    }

    /// Writes pid and start time to `file`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn record(&self, file: &Path) -> Result<(), Error> {
        std::fs::write(file, format!("{} {}\n", self.pid, self.started)).map_err(Error::file(file))
    }

    /// Ends the process: `signal`, then after `limit` the `last` signal. Returns once it is gone, or 5 s after `last`.
    pub async fn stop(&self, signal: Signal, limit: Duration, last: Signal) {
        send(self.pid, signal);
        if self.wait_gone(limit).await {
            return;
        }
        send(self.pid, last);
        self.wait_gone(Duration::from_secs(5)).await;
    }

    async fn wait_gone(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while self.is_running() {
            if Instant::now() >= deadline {
                return false;
            }
            sleep(POLL_INTERVAL).await;
        }
        true
    }
}

/// Resident memory of a process in bytes; `None` on systems without `/proc`.
#[must_use]
pub fn resident_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

/// Whether a process is halted; false on systems without `/proc`.
#[must_use]
pub fn is_halted(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(')').map(|(_, fields)| fields.trim_start());
    state.is_some_and(|state| state.starts_with('T'))
}

/// The start time in the system's own format, only good for comparison. A zombie has already ended.
fn start_time(pid: u32) -> Option<String> {
    let stat = PathBuf::from(format!("/proc/{pid}/stat"));
    if Path::new("/proc/self/stat").exists() {
        let stat = std::fs::read_to_string(stat).ok()?;
        // The name in parentheses may hold spaces; what follows it does not. Field 3 is the state, 22 the start.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_whitespace();
        if fields.next()? == "Z" {
            return None;
        }
        return fields.nth(18).map(str::to_owned);
    }
    let output = Command::new("ps")
        .args(["-o", "lstart=", "-p", &pid.to_string()])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_not_known_by_its_pid_alone() {
        let me = Identity::of(std::process::id()).expect("this process runs");
        let stranger = Identity {
            started: "1".into(),
            ..me.clone()
        };
        assert!(me.is_running());
        assert!(!stranger.is_running());
    }

    #[test]
    fn a_halted_process_is_known_until_it_goes_on() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let becomes = |halted| {
            let looks = std::iter::repeat_with(|| is_halted(child.id()));
            assert!(looks.take(1_000_000).any(|it| it == halted), "{halted}");
        };
        send(child.id(), Signal::Halt);
        becomes(true);
        send(child.id(), Signal::Continue);
        becomes(false);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_record_of_an_ended_process_finds_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        Identity::of(child.id()).unwrap().record(&file).unwrap();
        assert_eq!(Identity::find_running(&file).unwrap().pid, child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(Identity::find_running(&file), None);
    }
}
