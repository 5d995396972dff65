//! One try: a thing, a caller and a transport.

/// Cells that are tried at once.
pub(super) const CONCURRENCY: usize = 16;

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
