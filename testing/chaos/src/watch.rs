//! Checks what must hold at any moment, while faults are injected.

use std::collections::BTreeSet;
use std::time::Duration;

use marketplace::verify::Ledger;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

const INTERVAL: Duration = Duration::from_millis(700);

/// How many checks were made, and what they found broken.
#[derive(Debug, Default)]
pub(crate) struct Observation {
    pub(crate) checks: u64,
    pub(crate) violations: BTreeSet<String>,
}

/// Checks at intervals until `stop`. A database that does not answer is asked again at the next one.
pub(crate) async fn run(ledger: &Ledger, stop: CancellationToken) -> Observation {
    let mut observed = Observation::default();
    while stop.run_until_cancelled(sleep(INTERVAL)).await.is_some() {
        if let Ok(findings) = ledger.look().await {
            observed.checks += 1;
            let broken = findings.iter().filter(|finding| !finding.holds());
            let described = broken.map(|it| {
                let example = it.examples.first().map_or("", String::as_str);
                format!("{} while it went on: {}: {example}", it.id, it.promise)
            });
            observed.violations.extend(described.take(20));
        }
    }
    observed
}
