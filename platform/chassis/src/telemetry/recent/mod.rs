//! What a process did of late, kept in its own memory for an operator who looks: traces and log lines.
//!
//! Invariants: memory is bounded by `telemetry.recent_bytes`, whatever comes; of a span only the attributes that
//! `docs/telemetry.md` lists are kept, so no secret and no text of a user. Nothing is kept unless the setting says so.

mod lines;
mod serve;
mod span;
mod traces;

use std::sync::OnceLock;

pub use self::{
    lines::{Line, LineQuery, Lines},
    serve::{News, Since, answer_services},
    span::Span,
    traces::Traces,
};

/// What is kept.
#[derive(Debug)]
pub struct Recent {
    /// Traces, three quarters of the memory.
    pub traces: Traces,
    /// Log lines, the rest.
    pub lines: Lines,
}

pub(super) use self::serve::routes;

static RECENT: OnceLock<Recent> = OnceLock::new();

/// What this process keeps; none where it keeps nothing.
#[must_use]
pub fn recent() -> Option<&'static Recent> {
    RECENT.get()
}

/// Begins to keep so many bytes; the first call in a process counts.
pub(super) fn keep(bytes: usize) -> &'static Recent {
    RECENT.get_or_init(|| Recent {
        traces: Traces::of(bytes / 4 * 3),
        lines: Lines::of(bytes / 4),
    })
}
