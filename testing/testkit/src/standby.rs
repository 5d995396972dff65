//! A Postgres with a standby, for tests of a failover.

use std::time::Duration;

use dev_services::Progress;
use dev_services::account::Account;
use dev_services::postgres::{Cluster, Durability, Settings};
use dev_services::state::StateDir;

use crate::services::{postgres_settings, temporary_state};

/// A primary whose commits wait for its standby, both of one test. Their folders go with the process.
#[derive(Debug)]
pub struct Replicated {
    primary: Cluster,
    standby: Cluster,
    state: StateDir,
}

impl Replicated {
    /// Starts both on free ports.
    ///
    /// # Panics
    /// When one of them cannot be started.
    pub async fn start() -> Self {
        let state = temporary_state().expect("a temporary folder");
        let progress = Progress::silent();
        let settings = durable(&state, "postgres");
        let primary = Cluster::start(settings, &progress);
        let primary = primary.await.expect("a primary for one test starts");
        let standby = Cluster::start_standby(durable(&state, "standby"), &primary, &progress);
        let standby = standby.await.expect("its standby starts");
        let follows = primary.wait_for_standby().await;
        follows.expect("the standby follows");
        Self {
            primary,
            standby,
            state,
        }
    }

    /// The URL of `database` on both, the primary first.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let (before, _) = self.primary.url().rsplit_once('/').expect("a path");
        let standby = self.standby.port();
        format!("{before},127.0.0.1:{standby}/{database}")
    }

    /// The same with the standby first.
    #[must_use]
    pub fn url_backwards(&self, database: &str) -> String {
        let (before, _) = self.standby.url().rsplit_once('/').expect("a path");
        let primary = self.primary.port();
        format!("{before},127.0.0.1:{primary}/{database}")
    }

    /// The port of the first primary.
    #[must_use]
    pub fn primary_port(&self) -> u16 {
        self.primary.port()
    }

    /// The port of the first standby.
    #[must_use]
    pub fn standby_port(&self) -> u16 {
        self.standby.port()
    }

    /// Kills the primary with SIGKILL.
    pub async fn kill_primary(&mut self) {
        self.primary.kill().await;
    }

    /// Brings the killed primary back, as a supervisor that knows of no failover would.
    ///
    /// # Panics
    /// When it does not come back.
    pub async fn restart_primary(&mut self) {
        let back = self.primary.restart().await;
        back.expect("the old primary comes back");
    }

    /// Makes the standby the primary.
    ///
    /// # Panics
    /// When that takes a minute.
    pub async fn promote(&self) {
        self.standby
            .promote()
            .await
            .expect("the standby is promoted");
    }

    /// Stops the standby from taking what the primary sends, as a cut line would.
    pub async fn stop_standby(&mut self) {
        self.standby.kill().await;
    }

    /// Ends both and removes their files.
    pub async fn stop(self) {
        let limit = Duration::from_secs(5);
        tokio::join!(self.primary.stop(limit), self.standby.stop(limit));
        for folder in [self.state.root(), self.state.system()] {
            if folder.exists()
                && let Err(error) = std::fs::remove_dir_all(folder)
            {
                tracing::debug!(%error, "cannot remove a test folder");
            }
        }
    }
}

fn durable(state: &StateDir, name: &str) -> Settings {
    let account = Account::for_postgres().expect("an account for Postgres");
    let shared = postgres_settings(state).expect("settings of a test server");
    Settings {
        dir: state.for_account(name, account).expect("a folder"),
        log: state.log(name),
        durability: Durability::Fsync,
        ..shared
    }
}
