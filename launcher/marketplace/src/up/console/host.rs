//! What the console asks, answered by this `up`: by looking into this process, or at the processes that it runs.

use std::sync::Arc;
use std::time::Duration;

use chassis::telemetry;
use futures::future::{BoxFuture, join_all};
use ops_console::{Check, Host, Service};

use super::place::{Place, Surroundings};
use super::services;
use crate::http;
use crate::services::ServiceHost;
use crate::up::stores::Stores;
use crate::verify::{self, Ledger};

/// How long `verify` waits for unfinished work.
const SETTLE: Duration = Duration::from_secs(10);

/// This `up`.
#[derive(Debug)]
pub(super) struct Here {
    around: Surroundings,
    ledger: Ledger,
}

impl Here {
    /// # Errors
    /// When the databases' address is not known.
    pub(super) async fn new(
        host: &ServiceHost,
        stores: &Stores,
        place: Place,
    ) -> anyhow::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            around: Surroundings::of(host, stores, place),
            ledger: Ledger::open(&host.settings).await?,
        }))
    }
}

impl Host for Here {
    fn services(&self) -> BoxFuture<'_, Vec<Service>> {
        Box::pin(services::all(&self.around))
    }

    fn metrics(&self) -> BoxFuture<'_, Vec<String>> {
        if !self.around.place.separate {
            return Box::pin(async { vec![telemetry::metrics_text()] });
        }
        let all = services::probed(&self.around.settings).map(async |(_, address)| {
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
            let findings = Box::pin(verify::run(&self.around.settings, SETTLE)).await;
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
