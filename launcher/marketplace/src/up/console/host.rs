//! What the console asks, answered by this `up`: by looking into this process, or at the processes that it runs.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chassis::{health::Health, telemetry};
use futures::future::{BoxFuture, join_all};
use ops_console::{Check, Host, Service};

use super::services;
use crate::http;
use crate::services::ServiceHost;
use crate::settings::Settings;
use crate::up::stores::Stores;
use crate::verify::{self, Ledger};

/// How long `verify` waits for unfinished work.
const SETTLE: Duration = Duration::from_secs(10);

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

/// This `up`.
#[derive(Debug)]
pub(super) struct Here {
    pub(super) settings: Settings,
    pub(super) health: Health,
    pub(super) place: Place,
    /// How the stores are kept, in words; Kafka's, then Postgres's.
    pub(super) notes: [String; 2],
    ledger: Ledger,
}

impl Here {
    /// # Errors
    /// When the databases' address is not known.
    pub(super) async fn new(
        host: &ServiceHost,
        stores: &Stores,
        place: Place,
    ) -> anyhow::Result<Arc<dyn Host>> {
        let note = |note: &str| note.split(['\n', ';']).next().unwrap_or(note).to_owned();
        Ok(Arc::new(Self {
            settings: host.settings.clone(),
            health: host.health.clone(),
            place,
            notes: [note(&stores.kafka.note), note(&stores.postgres.note)],
            ledger: Ledger::open(&host.settings).await?,
        }))
    }

    /// Where the processes of the services answer operators.
    fn admin_addresses(&self) -> [SocketAddr; 6] {
        let settings = &self.settings;
        [
            settings.router.admin_listen,
            settings.subgraphs.cart_listen,
            settings.subgraphs.loms_listen,
            settings.subgraphs.comments_listen,
            settings.notifier.admin_listen,
            settings.product.listen,
        ]
    }
}

impl Host for Here {
    fn services(&self) -> BoxFuture<'_, Vec<Service>> {
        Box::pin(services::all(self))
    }

    fn metrics(&self) -> BoxFuture<'_, Vec<String>> {
        if !self.place.separate {
            return Box::pin(async { vec![telemetry::metrics_text()] });
        }
        let all = self.admin_addresses().map(async |address| {
            let (status, text) = http::get(address, "/metrics").await?;
            (status == 200).then_some(text)
        });
        Box::pin(async { join_all(all).await.into_iter().flatten().collect() })
    }

    fn backlog(&self) -> BoxFuture<'_, Option<u64>> {
        Box::pin(async { self.ledger.backlog().await.ok() })
    }

    fn verify(&self) -> BoxFuture<'_, Result<Vec<Check>, String>> {
        Box::pin(async {
            let findings = Box::pin(verify::run(&self.settings, SETTLE)).await;
            let findings = findings.map_err(|error| format!("{error:#}"))?;
            let checks = findings.into_iter().map(|finding| {
                let mut detail = format!("{} checked", finding.checked);
                if !finding.holds() {
                    detail = format!(
                        "{detail}, {} broken: {}",
                        finding.broken,
                        finding.examples.join("; ")
                    );
                }
                Check {
                    name: format!("{} {}", finding.id, finding.promise),
                    ok: finding.holds(),
                    detail,
                }
            });
            Ok(checks.collect())
        })
    }
}
