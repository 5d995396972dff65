//! One try: a thing, a caller and a transport.

use std::time::Duration;

/// Cells that are tried at once.
pub(super) const CONCURRENCY: usize = 16;
/// How often a caller who is told that there is no room for the moment comes, and the pause before that.
pub(super) const TRIES: u32 = 5;
pub(super) const PAUSE: Duration = Duration::from_millis(700);

/// What became of it.
#[derive(Debug)]
pub(super) struct Cell {
    /// The transport.
    pub(super) over: &'static str,
    /// What was not as the policy has it.
    pub(super) fault: Option<String>,
}

impl Cell {
    /// `told` says what was tried and seen when that is not right.
    pub(super) fn new(over: &'static str, is_right: bool, told: impl FnOnce() -> String) -> Self {
        Self {
            over,
            fault: (!is_right).then(told),
        }
    }
}
