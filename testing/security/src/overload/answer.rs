//! What became of a request under overload.

use std::time::Duration;

/// How long a client waits, which it says.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);
/// What a busy machine may add to that.
const GRACE: Duration = Duration::from_secs(3);

/// What became of one request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Served,
    /// Served after its client had left.
    Late(Duration),
    /// With nothing done, and told when to come again.
    Refused,
    Wrong(String),
}

impl Answer {
    /// The answer as a client sees it that has waited so long.
    pub(super) fn after(self, took: Duration) -> Self {
        match self {
            Self::Served if took > DEADLINE + GRACE => Self::Late(took),
            other => other,
        }
    }
}
