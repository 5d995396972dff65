//! A private `PostgreSQL` cluster on loopback, made from the machine's own binaries.
//!
//! Binaries: `PG_BIN`, the path, the distributions' folders (highest major from 15 up), then a pinned archive by
//! Maven ([`discover`]). fsync and page checksums are on; a test may turn fsync off.

mod archive;
mod cluster;
mod discover;

pub use cluster::{Cluster, Durability, Settings, answers};
pub use discover::{Binaries, LEAST_MAJOR, find, find_or_fetch};
