//! What one round has shown, and what it found broken.

use load::{Ledger, Watched};
use marketplace::verify::Finding;
use serde::{Deserialize, Serialize};

use crate::inject::Injected;
use crate::schedule::Counts;
use crate::watch::Observation;

/// The outcome of one round, a JSON line in the results file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) seed: u64,
    pub(crate) commit: String,
    pub(crate) group_commit: bool,
    /// Kills by process.
    pub(crate) kills: Counts,
    /// Hits by crash point.
    pub(crate) points: Counts,
    /// Mutations that were done.
    pub(crate) done: u64,
    /// Mutations that were refused with a code that is allowed.
    pub(crate) refused: u64,
    /// Attempts after the first.
    pub(crate) retries: u64,
    /// Mutations with a response, by protocol.
    #[serde(default)]
    pub(crate) protocols: Counts,
    /// Mutations that were sent again with their key in the end.
    pub(crate) replayed: u64,
    pub(crate) orders: u64,
    pub(crate) events: u64,
    /// Messages in the topic that repeat an earlier one.
    pub(crate) repeats: u64,
    pub(crate) frames: u64,
    pub(crate) reconnects: u64,
    /// Checks of the promises during the round. Older files call them looks.
    #[serde(alias = "looks")]
    pub(crate) checks: u64,
    /// From the first buyer to the last check, restarts of Kafka and Postgres included.
    pub(crate) seconds: f64,
    /// What was broken, in words.
    pub(crate) violations: Vec<String>,
}

impl Outcome {
    /// Adds the faults that were injected. Without a kill the round proves nothing; with `every_point`, neither does it
    /// when a crash point was never hit.
    pub(crate) fn add_faults(&mut self, injected: Injected, every_point: bool) {
        if injected.kills.is_empty() {
            let vacuous = "vacuous: nobody was killed, so this round says nothing";
            self.violations.push(vacuous.to_owned());
        }
        let hit = |point: &crate::point::Point| injected.points.contains_key(point.name());
        let points = crate::point::Point::ALL;
        let missed = points.iter().filter(|point| !hit(point));
        let missed: Vec<_> = missed.map(|point| point.name()).collect();
        if every_point && !missed.is_empty() {
            self.violations.push(format!(
                "vacuous: no process reached the crash points {}",
                missed.join(", ")
            ));
        }
        self.kills = injected.kills;
        self.points = injected.points;
    }

    /// Adds what `marketplace verify` found in the end.
    pub(crate) fn add_findings(&mut self, findings: &[Finding]) {
        for finding in findings {
            match finding.id {
                "I5" => self.orders = finding.checked,
                "I6" => self.events = finding.checked,
                _ => {}
            }
            if !finding.holds() {
                let example = finding.examples.first().map_or("", String::as_str);
                let (id, broken) = (finding.id, finding.broken);
                self.violations.push(format!(
                    "{id}: {}: {broken} times; {example}",
                    finding.promise
                ));
            }
        }
    }

    /// Adds what was observed while faults were injected.
    pub(crate) fn add_observation(&mut self, observed: Observation) {
        self.checks = observed.checks;
        self.violations.extend(observed.violations);
    }

    /// Adds what the subscribers received; `ledger` has what they should have.
    pub(crate) fn add_streams(&mut self, watched: &[Watched], ledger: &Ledger) {
        for subscriber in watched {
            let missing = subscriber.missing(ledger);
            let observed = subscriber.observation();
            self.frames += observed.frames;
            self.reconnects += observed.reconnects;
            let (repeated, gaps) = (observed.repeated, observed.gaps);
            let missed = observed.missed + missing;
            if repeated + missed + gaps > 0 || !observed.faults.is_empty() {
                let faults = observed.faults.first();
                self.violations.push(format!(
                    "streams: {repeated} frames repeated, {missed} missed, {gaps} gaps, {faults:?}"
                ));
            }
        }
    }
}
