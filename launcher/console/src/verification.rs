//! `verify`, one at a time: it reads the whole topic and the tables of orders.

use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use tokio::sync::Mutex;

use crate::host::{Check, Host};
use crate::refusal::Refusal;

/// Runs the host's checks.
#[derive(Debug, Clone)]
pub(crate) struct Verification {
    host: Arc<dyn Host>,
    running: Arc<Mutex<()>>,
}

/// What `POST verify` answers.
#[derive(Debug, Serialize)]
pub(crate) struct Verdict {
    ok: bool,
    took_ms: u128,
    checks: Vec<Check>,
}

impl Verification {
    pub(crate) fn of(host: Arc<dyn Host>) -> Self {
        let running = Arc::default();
        Self { host, running }
    }

    /// Checks everything.
    ///
    /// # Errors
    /// [`Refusal::Conflict`] while it runs, [`Refusal::Away`] when nothing can be known.
    pub(crate) async fn run(&self) -> Result<Verdict, Refusal> {
        let Ok(_running) = self.running.try_lock() else {
            let text = "the promises are being checked; their verdict comes with the first request";
            return Err(Refusal::Conflict(text.to_owned()));
        };
        let begun = Instant::now();
        let checks = self.host.verify().await.map_err(Refusal::Away)?;
        Ok(Verdict {
            ok: checks.iter().all(|check| check.ok),
            took_ms: begun.elapsed().as_millis(),
            checks,
        })
    }
}
