//! Reports what a slow start is doing, one line at a time.

use std::fmt;
use std::sync::Arc;

type Sink = dyn Fn(&'static str, &str) + Send + Sync;

/// A callback that gets a service's name and a short line about what it does now. Cheap to clone.
#[derive(Clone)]
pub struct Progress(Arc<Sink>);

impl Progress {
    /// Reports to `sink`, which must not block.
    pub fn new(sink: impl Fn(&'static str, &str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(sink))
    }

    /// Discards every report.
    #[must_use]
    pub fn silent() -> Self {
        Self::new(|_, _| {})
    }

    /// Reports one line.
    pub fn say(&self, service: &'static str, line: impl AsRef<str>) {
        (self.0)(service, line.as_ref());
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}
