//! The place of a broker in a cluster, and how many copies a cluster of so many keeps.

use std::path::PathBuf;

use crate::port;

/// The most copies of a partition, however many brokers there are.
const COPIES_MAX: usize = 3;

/// The place of a broker in a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its number, from 1.
    pub id: usize,
    /// The controllers' ports, by number.
    pub controllers: Vec<u16>,
    /// Where its pid stands for whoever wants to kill it.
    pub pid_file: PathBuf,
}

impl Member {
    /// The only one.
    pub(super) fn alone() -> Self {
        Self {
            id: 1,
            controllers: vec![port::free()],
            pid_file: PathBuf::new(),
        }
    }

    /// How many brokers there are.
    pub(super) fn together(&self) -> u32 {
        u32::try_from(self.controllers.len()).unwrap_or(1)
    }

    pub(super) fn is_alone(&self) -> bool {
        self.controllers.len() == 1
    }

    /// The port of its own controller.
    pub(super) fn controller(&self) -> u16 {
        self.controllers[self.id - 1]
    }

    /// Every controller, as `controller.quorum.voters` takes them.
    pub(super) fn voters(&self) -> String {
        let voters = self.controllers.iter().zip(1..);
        let voters: Vec<String> = voters
            .map(|(port, id)| format!("{id}@127.0.0.1:{port}"))
            .collect();
        voters.join(",")
    }

    /// Copies of a partition.
    pub(super) fn copies(&self) -> usize {
        copies(self.controllers.len())
    }

    /// Copies that must have what is acknowledged.
    pub(super) fn insync(&self) -> usize {
        insync(self.controllers.len())
    }

    /// How long a broker may say nothing before others lead its partitions. A broker of several is away for as long as a
    /// controller's election takes besides.
    pub(super) fn session_ms(&self) -> &'static str {
        if self.is_alone() { "3000" } else { "2000" }
    }
}

/// Copies of a partition in a cluster of so many brokers: three, or as many as there are.
#[must_use]
pub fn copies(brokers: usize) -> usize {
    brokers.clamp(1, COPIES_MAX)
}

/// Of them, those that must have what is acknowledged: one broker may be away.
#[must_use]
pub fn insync(brokers: usize) -> usize {
    (copies(brokers) - 1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_brokers_lose_nothing_with_one_of_them() {
        assert_eq!((copies(1), insync(1)), (1, 1));
        assert_eq!((copies(2), insync(2)), (2, 1));
        assert_eq!((copies(3), insync(3)), (3, 2));
        assert_eq!((copies(5), insync(5)), (3, 2));
    }
}
