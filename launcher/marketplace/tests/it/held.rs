//! What a process holds: what a clean stop must have given back.

use std::fs;

use sea_orm::{ConnectionTrait as _, DatabaseConnection, Statement};

/// The things that a stopped marketplace may have left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Held {
    /// Tasks of the runtime, ours and the libraries'.
    pub(crate) tasks: usize,
    /// Sessions in the marketplace's databases.
    pub(crate) sessions: i64,
    /// Open sockets.
    pub(crate) sockets: usize,
    /// Threads of Kafka clients.
    pub(crate) kafka_threads: usize,
    /// Open files of any kind.
    pub(crate) files: usize,
    /// Threads of any kind.
    pub(crate) threads: usize,
}

impl Held {
    /// Counts. `server` is a connection to the database server that belongs to the test.
    pub(crate) async fn count(server: &DatabaseConnection) -> Self {
        let files = links("/proc/self/fd");
        let threads = names("/proc/self/task");
        Self {
            tasks: tokio::runtime::Handle::current()
                .metrics()
                .num_alive_tasks(),
            sessions: sessions(server).await,
            sockets: count(&files, "socket:"),
            kafka_threads: count(&threads, "rdk:"),
            files: files.len(),
            threads: threads.len(),
        }
    }

    /// Whether nothing here is more than in `before`.
    pub(crate) fn is_within(&self, before: &Self) -> bool {
        self.tasks <= before.tasks
            && self.sessions <= before.sessions
            && self.sockets <= before.sockets
            && self.kafka_threads <= before.kafka_threads
            && self.files <= before.files
            && self.threads <= before.threads
    }
}

async fn sessions(server: &DatabaseConnection) -> i64 {
    let databases: Vec<_> = migrations::DATABASES
        .iter()
        .map(|(name, _)| format!("'{name}'"))
        .collect();
    let text = format!(
        "SELECT count(*) AS held FROM pg_stat_activity WHERE datname IN ({})",
        databases.join(",")
    );
    let query = Statement::from_string(server.get_database_backend(), text);
    let row = server.query_one_raw(query).await.unwrap().unwrap();
    row.try_get("", "held").unwrap()
}

fn links(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().flatten();
    // The folder's own descriptor is gone by the time it is looked at.
    entries
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .map(|link| link.display().to_string())
        .collect()
}

fn names(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().flatten();
    entries
        .filter_map(|entry| fs::read_to_string(entry.path().join("comm")).ok())
        .collect()
}

fn count(found: &[String], start: &str) -> usize {
    found.iter().filter(|name| name.starts_with(start)).count()
}
