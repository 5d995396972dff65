//! Crash points: the places where the death of a process would hurt most, each named for what has just happened there.
//!
//! They are compiled in only with the feature `crash-points`; without it [`take`] is the constant `false` and nothing of
//! them is left. With it a point is armed by a file of its name in the folder that `CRASH_POINTS` names; the first
//! process that comes by takes it by renaming it, so that a point strikes once. `make chaos` arms them; its list of
//! points is `testing/chaos/src/point.rs`.
//!
//! Not the crate `fail`: it is set up from within one process, while a point here is armed once for several processes
//! from outside, and it can neither abort nor hold until somebody else is dead.

/// Ends the process here if the point is armed.
#[inline]
pub fn at(point: &str) {
    if take(point) {
        end();
    }
}

/// Ends the process as `kill -9` does: nothing is unwound or flushed.
pub fn end() -> ! {
    std::process::abort()
}

/// Disarms the point; whether it was armed.
#[cfg(not(feature = "crash-points"))]
#[inline]
#[must_use]
pub const fn take(_point: &str) -> bool {
    false
}

/// If the point is armed, waits here until another process has been killed; whether it was.
#[cfg(not(feature = "crash-points"))]
#[inline]
pub async fn hold(_point: &str) -> bool {
    false
}

#[cfg(feature = "crash-points")]
pub use self::armed::{hold, take};

#[cfg(feature = "crash-points")]
mod armed {
    use std::{path::PathBuf, sync::LazyLock, time::Duration};

    /// How long a process waits for the other's death at most.
    const HOLD_LIMIT: Duration = Duration::from_secs(20);
    const POLL_INTERVAL: Duration = Duration::from_millis(5);

    #[expect(
        clippy::disallowed_methods,
        reason = "no setting: this is not compiled into what users run"
    )]
    static FOLDER: LazyLock<Option<PathBuf>> =
        LazyLock::new(|| std::env::var_os("CRASH_POINTS").map(PathBuf::from));

    /// Disarms the point; whether it was armed.
    #[must_use]
    pub fn take(point: &str) -> bool {
        let Some(folder) = FOLDER.as_ref() else {
            return false;
        };
        let taken = folder.join(format!("{point}.hit"));
        std::fs::rename(folder.join(point), taken).is_ok()
    }

    /// If the point is armed, waits here until another process has been killed; whether it was. Whoever kills removes
    /// the file `<point>.hit` afterwards.
    pub async fn hold(point: &str) -> bool {
        if !take(point) {
            return false;
        }
        let folder = FOLDER.as_ref().expect("a point was taken from it");
        let taken = folder.join(format!("{point}.hit"));
        let deadline = tokio::time::Instant::now() + HOLD_LIMIT;
        while taken.exists() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        true
    }
}
