//! `marketplace verify`: reads the databases and the topic of a marketplace and says whether its promises hold.
//! `marketplace resend` mends the one of them that can be mended from what is left.
//!
//! Each check asks for the rows that break a promise, so what it prints are those rows and not a sum. Nothing is
//! written and no lock is taken, so it may run on a busy marketplace. Only the last promise, that nothing is left to do,
//! is broken by being busy; it is checked again for as long as `--settle` says.

mod carts;
mod comments;
mod ledger;
mod quiet;
mod read;
mod stores;
mod topic;

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use chassis::{config::Secret, postgres::sql::Described};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::settings::Settings;
use crate::up::service_file;

pub(crate) use read::POISON;
use stores::Stores;

/// How many rows of a broken promise are shown, here and in the statements. The others are counted.
const EXAMPLES: usize = 5;
/// How often unfinished work is checked again.
const AGAIN: Duration = Duration::from_millis(500);

/// One promise.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// Its number in docs/reliability.md.
    pub id: &'static str,
    /// The promise, in words.
    pub promise: &'static str,
    /// How many things were checked.
    pub checked: u64,
    /// How many break it.
    pub broken: u64,
    /// The first that do, in words.
    pub examples: Vec<String>,
}

impl Finding {
    /// Whether the promise holds.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.broken == 0
    }
}

/// Checks everything once; unfinished work is checked again for as long as `settle`.
///
/// # Errors
/// When a database or the broker does not respond: then nothing is known about the promises.
pub async fn run(settings: &Settings, settle: Duration) -> anyhow::Result<Vec<Finding>> {
    let stores = Stores::open(settings).await?;
    let deadline = Instant::now() + settle;
    let mut left = quiet::look(&stores).await?;
    while !left.holds() && Instant::now() < deadline {
        sleep(AGAIN).await;
        left = quiet::look(&stores).await?;
    }
    let mut findings = ledger::look(&stores).await?;
    findings.extend(carts::look(&stores).await?);
    findings.push(comments::look(&stores).await?);
    findings.extend(topic::look(&stores).await?);
    findings.push(left);
    stores.close().await;
    Ok(findings)
}

/// Has the order service's relay send the events again that the topic has lost; how many those are.
///
/// # Errors
/// When a store does not respond.
pub async fn resend_lost(settings: &Settings) -> anyhow::Result<u64> {
    let stores = Stores::open(settings).await?;
    let lost = topic::lost(&stores).await?;
    let again = outbox::send_again(&stores.loms, &lost).await?;
    stores.close().await;
    Ok(again)
}

/// The statements for each database, for the test that prepares them: the order service's, the notifier's, the carts' and the
/// comments'.
#[must_use]
pub fn statements() -> [Vec<&'static dyn Described>; 4] {
    let mut loms: Vec<_> = ledger::statements().collect();
    loms.extend(carts::loms_statements());
    loms.extend(quiet::loms_statements());
    loms.extend(topic::loms_statements());
    let mut notifier = quiet::notifier_statements().to_vec();
    notifier.extend(topic::notifier_statements());
    let carts = carts::statements().to_vec();
    [loms, notifier, carts, comments::statements().to_vec()]
}

/// The Postgres server of a marketplace: the settings' own, or the one that `up` started in their folder.
///
/// # Errors
/// When no server is named and none of `up` runs here.
pub fn address(settings: &Settings) -> anyhow::Result<Secret> {
    if !settings.postgres.url.expose().is_empty() {
        return Ok(settings.postgres.url.clone());
    }
    let found = service_file::read(&settings.state_dir);
    let found =
        found.context("postgres.url is not set, and no `marketplace up` has run in this folder")?;
    Ok(found.into())
}

/// The open databases of a marketplace, to check it while it works.
#[derive(Debug)]
pub struct Ledger(Stores);

impl Ledger {
    /// Opens the databases of a marketplace.
    ///
    /// # Errors
    /// When no server is named and none of `up` runs here.
    pub async fn open(settings: &Settings) -> anyhow::Result<Self> {
        Stores::open(settings).await.map(Self)
    }

    /// The promises about orders and stock, which hold at any moment: each from one statement and so from one moment.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn look(&self) -> anyhow::Result<Vec<Finding>> {
        ledger::look(&self.0).await
    }

    /// How many order events the broker has not acknowledged.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn backlog(&self) -> anyhow::Result<u64> {
        quiet::backlog(&self.0).await
    }

    /// When the broker took each message that repeats an earlier one, in milliseconds since 1970. Repeats are allowed
    /// after a fault, and readers drop them.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub async fn repeats(&self) -> anyhow::Result<Vec<i64>> {
        topic::repeats(&self.0).await
    }

    /// The order service's database.
    #[must_use]
    pub const fn database(&self) -> &chassis::postgres::DatabaseConnection {
        &self.0.loms
    }
}

/// The findings as text for a person.
#[must_use]
pub fn describe(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let state = if finding.holds() { "holds " } else { "BROKEN" };
        let (id, promise, checked) = (finding.id, finding.promise, finding.checked);
        let line = format!("{id:<4} {state} {promise} ({checked} checked)");
        text.push_str(&line);
        text.push('\n');
        for example in &finding.examples {
            writeln!(text, "            {example}").expect("writing to a string cannot fail");
        }
        let more = finding.broken.saturating_sub(finding.examples.len() as u64);
        if more > 0 {
            writeln!(text, "            and {more} more").expect("writing to a string cannot fail");
        }
    }
    text
}
