//! Crash points: the places where the death of a process would hurt most, each named where it sits.
//!
//! They are compiled in only with the feature `crash-points`; without it [`take`] is the constant `false` and nothing of
//! them is left. With it a point is armed by a file of its name in the folder that `CRASH_POINTS` names; the first
//! process that comes by takes it by renaming it, so that a point strikes once. `make chaos` arms them.

/// One place. The numbers are those of docs/reliability.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Point {
    /// Cart: the cart is frozen, the order service is not asked yet.
    C1,
    /// Orders: everything is locked, nothing is written.
    C2,
    /// Orders: everything is written, nothing is committed.
    C3,
    /// Orders: committed, and nobody knows yet.
    C4,
    /// Cart: the order is made, the cart still has its lines.
    C5,
    /// Relay: rows are read, nothing is sent.
    C6,
    /// Relay: the broker has acknowledged, nothing is marked.
    C7,
    /// Relay: the broker has appended and dies before its acknowledgement arrives.
    C8,
    /// Notifier: inbox and effect are written, nothing is committed.
    C9,
    /// Notifier: committed, the offset is not.
    C10,
    /// Router: an event is read, its frame is not begun.
    C11,
    /// Router: half a frame is on its way to the client.
    C12,
    /// Orders: a payment has its locks.
    C13Pay,
    /// Orders: a cancellation has its locks.
    C13Cancel,
    /// Orders: the sweeper has its locks.
    C13Expire,
    /// Postgres dies between the commit of the order and that of the cart.
    C14,
}

impl Point {
    /// All of them, in the order of a report.
    pub const ALL: [Self; 16] = [
        Self::C1,
        Self::C2,
        Self::C3,
        Self::C4,
        Self::C5,
        Self::C6,
        Self::C7,
        Self::C8,
        Self::C9,
        Self::C10,
        Self::C11,
        Self::C12,
        Self::C13Pay,
        Self::C13Cancel,
        Self::C13Expire,
        Self::C14,
    ];

    /// Its name, which is that of the file that arms it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::C1 => "C1",
            Self::C2 => "C2",
            Self::C3 => "C3",
            Self::C4 => "C4",
            Self::C5 => "C5",
            Self::C6 => "C6",
            Self::C7 => "C7",
            Self::C8 => "C8",
            Self::C9 => "C9",
            Self::C10 => "C10",
            Self::C11 => "C11",
            Self::C12 => "C12",
            Self::C13Pay => "C13-pay",
            Self::C13Cancel => "C13-cancel",
            Self::C13Expire => "C13-expire",
            Self::C14 => "C14",
        }
    }
}

/// Ends the process here if `point` is armed.
#[inline]
pub fn at(point: Point) {
    if take(point) {
        end();
    }
}

/// Ends the process as `kill -9` does: nothing is unwound, flushed or told.
pub fn end() -> ! {
    std::process::abort()
}

/// Disarms `point`; whether it was armed.
#[cfg(not(feature = "crash-points"))]
#[inline]
#[must_use]
pub const fn take(_point: Point) -> bool {
    false
}

/// If `point` is armed, waits here until somebody else has been killed; whether it was.
#[cfg(not(feature = "crash-points"))]
#[inline]
pub async fn hold(_point: Point) -> bool {
    false
}

#[cfg(feature = "crash-points")]
pub use self::armed::{hold, take};

#[cfg(feature = "crash-points")]
mod armed {
    use std::{path::PathBuf, sync::LazyLock, time::Duration};

    use super::Point;

    /// How long a process waits for the other's death at most.
    const HOLD_MOST: Duration = Duration::from_secs(20);
    const LOOK: Duration = Duration::from_millis(5);

    #[expect(
        clippy::disallowed_methods,
        reason = "no setting: this is not compiled into what users run"
    )]
    static FOLDER: LazyLock<Option<PathBuf>> =
        LazyLock::new(|| std::env::var_os("CRASH_POINTS").map(PathBuf::from));

    /// Disarms `point`; whether it was armed.
    #[must_use]
    pub fn take(point: Point) -> bool {
        let Some(folder) = FOLDER.as_ref() else {
            return false;
        };
        let taken = folder.join(format!("{}.hit", point.name()));
        std::fs::rename(folder.join(point.name()), taken).is_ok()
    }

    /// If `point` is armed, waits here until somebody else has been killed; whether it was. Whoever kills removes the
    /// file `<point>.hit` afterwards.
    pub async fn hold(point: Point) -> bool {
        if !take(point) {
            return false;
        }
        let folder = FOLDER.as_ref().expect("a point was taken from it");
        let taken = folder.join(format!("{}.hit", point.name()));
        let until = tokio::time::Instant::now() + HOLD_MOST;
        while taken.exists() && tokio::time::Instant::now() < until {
            tokio::time::sleep(LOOK).await;
        }
        true
    }
}
