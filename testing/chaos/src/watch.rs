//! Looks at what must hold at any moment, while the kills go on.

use std::collections::BTreeSet;
use std::time::Duration;

use marketplace::verify::Ledger;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

const INTERVAL: Duration = Duration::from_millis(700);

/// How often was looked, and what was wrong.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) looks: u64,
    pub(crate) wrong: BTreeSet<String>,
}

/// Looks until `stop`. A database that is away is looked at again.
pub(crate) async fn run(ledger: &Ledger, stop: CancellationToken) -> Seen {
    let mut seen = Seen::default();
    while stop.run_until_cancelled(sleep(INTERVAL)).await.is_some() {
        if let Ok(findings) = ledger.look().await {
            seen.looks += 1;
            let broken = findings.iter().filter(|finding| !finding.holds());
            let told = broken.map(|it| {
                let example = it.examples.first().map_or("", String::as_str);
                format!("{} while it went on: {}: {example}", it.id, it.promise)
            });
            seen.wrong.extend(told.take(20));
        }
    }
    seen
}
