//! How much one response may hold, counted while it is put together. The first thing that does not fit ends the
//! execution: what is over the limit is never built.

use crate::execute::error::ClientError;
use crate::operation::limits::{Limits, exceeded};

/// What is left for a response.
#[derive(Debug)]
pub(crate) struct Budget {
    objects: Count,
    bytes: Count,
    /// The limit that was passed.
    passed: Option<ClientError>,
}

#[derive(Debug)]
struct Count {
    limit: &'static str,
    spent: u64,
    max: u64,
}

impl Budget {
    /// A full budget.
    pub(crate) fn new(limits: &Limits) -> Self {
        let count = |limit, max| Count {
            limit,
            spent: 0,
            max,
        };
        Self {
            objects: count("response_objects", limits.response_objects),
            bytes: count("response_bytes", limits.response_bytes),
            passed: None,
        }
    }

    /// A budget of objects alone.
    pub(crate) fn of_objects(max: u64) -> Self {
        Self::new(&Limits {
            response_objects: max,
            response_bytes: u64::MAX,
            ..Limits::default()
        })
    }

    /// The objects that still fit.
    pub(crate) fn objects_left(&self) -> u64 {
        self.objects.max.saturating_sub(self.objects.spent)
    }

    /// The most bytes of a response.
    pub(crate) fn bytes_max(&self) -> u64 {
        self.bytes.max
    }

    /// Whether the execution must end.
    pub(crate) fn is_passed(&self) -> bool {
        self.passed.is_some()
    }

    /// Takes objects; false when they do not fit.
    pub(crate) fn take_objects(&mut self, objects: u64) -> bool {
        take(&mut self.objects, objects, &mut self.passed)
    }

    /// Takes bytes that a subgraph sent; false when they do not fit.
    pub(crate) fn take_bytes(&mut self, bytes: usize) -> bool {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        take(&mut self.bytes, bytes, &mut self.passed)
    }

    /// Why the execution must end, if it must.
    pub(crate) fn passed(&mut self) -> Option<Passed> {
        let error = self.passed.take()?;
        let objects = self.objects.spent.min(self.objects.max);
        Some(Passed { error, objects })
    }

    /// Ends the execution because what was written is too long.
    pub(crate) fn too_long(&mut self) -> Option<Passed> {
        self.bytes.spent = self.bytes.max;
        self.take_bytes(1);
        self.passed()
    }
}

/// Why an execution ended before its response was complete.
#[derive(Debug)]
pub(crate) struct Passed {
    /// What the client reads.
    pub(crate) error: ClientError,
    /// The objects that were fetched until then.
    pub(crate) objects: u64,
}

fn take(count: &mut Count, more: u64, passed: &mut Option<ClientError>) -> bool {
    count.spent = count.spent.saturating_add(more);
    if count.spent > count.max && passed.is_none() {
        *passed = Some(too_large(count.limit, count.spent, count.max));
    }
    passed.is_none()
}

/// The error of a response that is larger than a limit.
fn too_large(limit: &'static str, spent: u64, max: u64) -> ClientError {
    ClientError::of_request(&exceeded(limit, spent, max))
}
