//! File descriptors: the process's limit is raised as far as it goes, and connections leave some of them over.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that accepted connections leave over at most: pools, brokers, calls to other services, logs, operators.
const RESERVED: u64 = 1_024;

/// Raises the soft limit of open files to the hard one and says what came of it. For the start of a process.
pub fn raise_limit() {
    let before = getrlimit(Resource::Nofile);
    if before.current != before.maximum {
        let wanted = Rlimit {
            current: before.maximum,
            maximum: before.maximum,
        };
        if let Err(error) = setrlimit(Resource::Nofile, wanted) {
            tracing::warn!(%error, limit = before.current, "the limit of open files stays as it is");
        }
    }
    let limit = open_files_max();
    let connections_max = connections_max();
    if limit < 4 * RESERVED {
        tracing::warn!(
            limit,
            connections_max,
            "few open files are allowed: raise the hard limit (ulimit -Hn) for more connections"
        );
    } else {
        tracing::info!(limit, connections_max, "open files");
    }
}

fn open_files_max() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Connections that the process may hold at once.
pub(super) fn connections_max() -> usize {
    let limit = open_files_max();
    let left = limit - RESERVED.min(limit / 2);
    usize::try_from(left).unwrap_or(usize::MAX)
}
