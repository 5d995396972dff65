//! When a stream must end whatever its client does: at shutdown, and with its caller's token.

use std::time::Duration;

use chassis::clock::Clock;
use chrono::{DateTime, Utc};
use schema::code::ErrorCode;

use super::drain::Drain;

/// Why and when one stream must end.
#[derive(Debug, Clone)]
pub(crate) struct Closing {
    drain: Drain,
    clock: Clock,
    /// `None` where no token of the shop is needed.
    expires_at: Option<DateTime<Utc>>,
}

impl Closing {
    pub(super) const fn new(drain: Drain, clock: Clock, expires_at: Option<DateTime<Utc>>) -> Self {
        Self {
            drain,
            clock,
            expires_at,
        }
    }

    /// Resolves to the reason when the stream must end.
    pub(crate) async fn due(&self) -> ErrorCode {
        let token_ended = async {
            match self.expires_at {
                Some(expires_at) => token_ended(&self.clock, expires_at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.drain.begun() => ErrorCode::ServerDraining,
            () = token_ended => ErrorCode::TokenExpired,
        }
    }
}

/// Looks at the clock at least once a second, so that a clock that jumps is noticed.
pub(super) async fn token_ended(clock: &Clock, expires_at: DateTime<Utc>) {
    loop {
        let left = (expires_at - clock.now()).to_std().unwrap_or_default();
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(Duration::from_secs(1))).await;
    }
}
