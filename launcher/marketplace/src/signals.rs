//! Ctrl-C, SIGTERM and a terminal that is closed, listened to from the first moment of a process.

use std::fs::File;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask for a clean stop.
#[derive(Debug)]
pub(crate) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
}

impl StopSignals {
    /// Starts listening; from now on the signals no longer end the process by themselves.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn listen() -> std::io::Result<Self> {
        // Whoever runs under `nohup` wants to outlive the terminal, and without one SIGHUP means to look for a new supergraph.
        let ends_with_terminal = has_terminal() && !ignores_hangup();
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: ends_with_terminal
                .then(|| signal(SignalKind::hangup()))
                .transpose()?,
        })
    }

    /// Waits for the next one. Cancel safe.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            () = closed(&mut self.hangup) => {}
        }
    }
}

/// Waits until the terminal is closed. A SIGHUP by hand, for the router, leaves it open.
async fn closed(hangup: &mut Option<Signal>) {
    let Some(hangup) = hangup else {
        return std::future::pending().await;
    };
    while hangup.recv().await.is_some() {
        if !has_terminal() {
            return;
        }
    }
    std::future::pending().await
}

/// Whether there is a terminal that this process belongs to.
fn has_terminal() -> bool {
    File::open("/dev/tty").is_ok()
}

/// Whether the process was started with SIGHUP ignored; not known, and so no, on systems without `/proc`.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    has_bit_of_hangup(&status)
}

/// Source: proc(5), `SigIgn`: a mask in hexadecimal digits, whose lowest bit is signal 1.
fn has_bit_of_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_runs_under_nohup_outlives_the_terminal() {
        assert!(has_bit_of_hangup("Name:\tx\nSigIgn:\t0000000000001001\n"));
        assert!(!has_bit_of_hangup("SigIgn:\t0000000000001000\n"));
        assert!(!has_bit_of_hangup(""));
    }
}
