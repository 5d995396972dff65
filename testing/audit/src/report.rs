//! The table that a run prints.

use serde_json::Value;

use crate::output;

/// How a case went.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What was asked.
    pub(crate) query: String,
    /// The data that the audit expects.
    pub(crate) expected: Value,
    /// The whole response.
    pub(crate) received: Value,
    /// Requests to subgraphs.
    pub(crate) requests: usize,
    /// Whether it is as expected.
    pub(crate) has_passed: bool,
}

/// A table in the making.
#[derive(Debug)]
pub(crate) struct Report {
    is_verbose: bool,
    cases: usize,
    passed: usize,
    requests: usize,
}

/// A line lists the requests of each case as long as there are not too many.
const LISTED: usize = 24;

impl Report {
    /// Begins the table.
    pub(crate) fn new(is_verbose: bool) -> Self {
        output::line("| graph | passed | subgraph requests of each case |\n|---|---|---|");
        Self {
            is_verbose,
            cases: 0,
            passed: 0,
            requests: 0,
        }
    }

    /// Adds a suite.
    pub(crate) fn add(&mut self, id: &str, outcomes: Vec<Outcome>) {
        let passed = outcomes.iter().filter(|outcome| outcome.has_passed).count();
        let requests = outcomes.iter().map(|outcome| outcome.requests);
        let sum: usize = requests.clone().sum();
        let listed = if outcomes.len() > LISTED {
            sum.to_string()
        } else {
            let each: Vec<_> = requests.map(|count| count.to_string()).collect();
            each.join(" ")
        };
        let cases = outcomes.len();
        output::line(&format!("| {id} | {passed} of {cases} | {listed} |"));
        self.cases += cases;
        self.passed += passed;
        self.requests += sum;
        for (position, outcome) in outcomes.iter().enumerate() {
            if !outcome.has_passed {
                self.failed(id, position, outcome);
            }
        }
    }

    fn failed(&self, id: &str, position: usize, outcome: &Outcome) {
        output::line(&format!("  {id}#{position} differs"));
        if self.is_verbose {
            let Outcome {
                query,
                expected,
                received,
                ..
            } = outcome;
            output::line(&format!(
                "{query}\nexpected {expected}\nreceived {received}"
            ));
        }
    }

    /// Ends the table.
    pub(crate) fn total(&self) {
        let Self {
            cases,
            passed,
            requests,
            ..
        } = self;
        output::line(&format!("| all | {passed} of {cases} | {requests} |"));
    }

    /// Whether anything differs.
    pub(crate) const fn has_failed(&self) -> bool {
        self.passed < self.cases
    }
}
