//! What the services of a marketplace hold.

use std::collections::BTreeMap;

use dev_services::process::resident_bytes;

/// The memory of the largest of the services, in MiB, which is how a leak would show.
#[must_use]
pub fn largest(services: &BTreeMap<String, u32>) -> u64 {
    let all = services.values().filter_map(|id| resident_bytes(*id));
    all.max().unwrap_or_default() / (1024 * 1024)
}
