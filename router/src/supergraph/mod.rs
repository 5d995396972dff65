//! Where the supergraph comes from, and how a new one comes into force.
//!
//! [`source`] reads a file or asks a URL, `kept` keeps the last good one on disk, `watch` looks again from time to time and at
//! SIGHUP. Invariant: what is served is always a supergraph that loaded; one that does not is refused, counted and named.

mod kept;
mod metrics;
mod source;
mod watch;

pub use self::source::SourceError;
pub(crate) use self::{kept::Kept, source::Source, watch::Watch};
