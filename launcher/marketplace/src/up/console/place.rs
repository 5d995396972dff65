//! Where an `up` keeps its things, and what is known of it from the start.

use std::path::PathBuf;

use chassis::config::Secret;
use chassis::health::Health;

use crate::services::ServiceHost;
use crate::settings::Settings;
use crate::up::stores::Stores;

/// Where this `up` keeps its things, and whether its services have processes of their own.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The state folder.
    pub(crate) folder: PathBuf,
    /// One process for each service.
    pub(crate) separate: bool,
}

impl Place {
    /// The file with the pid of a store or of a service's own process.
    pub(super) fn pid_file(&self, name: &str) -> PathBuf {
        match name {
            "kafka" | "postgres" => self.folder.join(name).join("pid"),
            name => self.folder.join("run").join(format!("{name}.pid")),
        }
    }
}

/// What the console looks at.
#[derive(Debug)]
pub(super) struct Surroundings {
    pub(super) settings: Settings,
    /// Of this process.
    pub(super) health: Health,
    pub(super) place: Place,
    /// How the stores are kept, in words; Kafka's, then Postgres's.
    pub(super) notes: [String; 2],
}

impl Surroundings {
    pub(super) fn of(host: &ServiceHost, stores: &Stores, place: Place) -> Self {
        let note = |note: &str| {
            let first = note.split(['\n', ';']).next().unwrap_or(note);
            first.trim_end_matches(':').to_owned()
        };
        let mut settings = host.settings.clone();
        // What is shown is the server, not the relay before it.
        settings.postgres.url = Secret::from(stores.postgres.address.clone());
        Self {
            settings,
            health: host.health.clone(),
            place,
            notes: [note(&stores.kafka.note), note(&stores.postgres.note)],
        }
    }
}
