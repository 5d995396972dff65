//! When a stream must end whatever its client does: at shutdown, and with its caller's token.

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    time::Duration,
};

use chassis::{clock::Clock, tasks::Tasks};
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use schema::code::ErrorCode;
use tokio_util::sync::CancellationToken;

use super::{credentials::Credentials, drain::Turn};

/// How often the clock is looked at, so that one that jumps is noticed.
const LOOK: Duration = Duration::from_millis(500);

/// Why and when one stream must end.
#[derive(Debug, Clone)]
pub(crate) struct Closing {
    pub(super) turn: Turn,
    pub(super) expiries: Expiries,
    pub(super) credentials: Credentials,
}

impl Closing {
    /// Resolves to the reason when the stream must end.
    pub(crate) async fn due(&mut self) -> ErrorCode {
        loop {
            let expires_at = self.credentials.expires_at();
            tokio::select! {
                biased;
                () = self.turn.come() => return ErrorCode::ServerDraining,
                // A fresh token may move the end.
                () = self.credentials.renewed() => {}
                () = self.expiries.passed(expires_at) => return ErrorCode::TokenExpired,
            }
        }
    }
}

/// The ends of tokens: one task looks at the clock for all streams, and streams of one moment share one signal.
#[derive(Debug, Clone)]
pub(crate) struct Expiries {
    clock: Clock,
    /// By the moment; a signal lasts as long as somebody waits for it.
    signals: Arc<Mutex<BTreeMap<DateTime<Utc>, Weak<CancellationToken>>>>,
}

impl Expiries {
    /// Looks at the clock until the process stops.
    pub(super) fn start(clock: Clock, tasks: &Tasks) -> Self {
        let expiries = Self {
            clock,
            signals: Arc::default(),
        };
        let looking = expiries.clone();
        let stop = tasks.token();
        let _task = tasks.spawn("stream expiries", async move {
            while stop
                .run_until_cancelled(tokio::time::sleep(LOOK))
                .await
                .is_some()
            {
                looking.look();
            }
        });
        expiries
    }

    /// Resolves when the moment has passed; never without one.
    async fn passed(&self, moment: Option<DateTime<Utc>>) {
        match moment {
            Some(moment) => self.signal(moment).cancelled().await,
            None => std::future::pending().await,
        }
    }

    fn signal(&self, moment: DateTime<Utc>) -> Arc<CancellationToken> {
        let mut signals = self.signals.lock();
        if let Some(signal) = signals.get(&moment).and_then(Weak::upgrade) {
            return signal;
        }
        let signal = Arc::new(CancellationToken::new());
        signals.insert(moment, Arc::downgrade(&signal));
        drop(signals);
        if moment <= self.clock.now() {
            signal.cancel();
        }
        signal
    }

    fn look(&self) {
        let now = self.clock.now();
        let mut signals = self.signals.lock();
        signals.retain(|moment, signal| {
            let signal = signal.upgrade();
            if let Some(signal) = signal.as_ref().filter(|_| *moment <= now) {
                signal.cancel();
            }
            signal.is_some() && *moment > now
        });
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    /// Meant against signals that stay.
    #[tokio::test(start_paused = true)]
    async fn streams_of_one_moment_end_together_and_what_nobody_waits_for_is_forgotten() {
        let start = DateTime::UNIX_EPOCH;
        let clock = Clock::manual(start);
        let tasks = Tasks::new();
        let expiries = Expiries::start(clock.clone(), &tasks);
        let [soon, later] = [60, 90].map(|seconds| start + chrono::TimeDelta::seconds(seconds));
        let mut one = Box::pin(expiries.passed(Some(soon)));
        let mut other = Box::pin(expiries.passed(Some(soon)));
        let mut last = Box::pin(expiries.passed(Some(later)));
        for waiting in [&mut one, &mut other, &mut last] {
            assert_eq!(waiting.now_or_never(), None);
        }
        assert_eq!(expiries.signals.lock().len(), 2);
        clock.advance(Duration::from_secs(60));
        tokio::time::sleep(LOOK * 2).await;
        assert_eq!(one.now_or_never(), Some(()));
        assert_eq!(other.now_or_never(), Some(()));
        assert_eq!((&mut last).now_or_never(), None);
        drop(last);
        tokio::time::sleep(LOOK * 2).await;
        assert!(expiries.signals.lock().is_empty());
        assert_eq!(expiries.passed(Some(soon)).now_or_never(), Some(()));
        assert_eq!(expiries.passed(None).now_or_never(), None);
        let late = tasks.shutdown(Duration::from_secs(1)).await;
        assert!(late.is_empty());
    }
}
