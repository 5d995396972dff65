//! Runs the cases.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt as _, stream};
use tokio::time::timeout;

use super::{
    case::{Case, Group, Need},
    groups,
    report::{Finding, Report, Verdict},
    target::Target,
};

/// How long one case may take.
const CASE: Duration = Duration::from_secs(120);

/// Which cases are run, and how.
#[derive(Debug, Clone)]
pub struct Choice {
    /// Those whose `group/name` contains this.
    pub only: String,
    /// Those of these groups.
    pub groups: Vec<Group>,
    /// So many at once; some groups run alone.
    pub at_once: usize,
}

impl Default for Choice {
    fn default() -> Self {
        Self {
            only: String::new(),
            groups: Group::ALL.to_vec(),
            at_once: 8,
        }
    }
}

impl Choice {
    fn cases(&self, group: Group) -> Vec<(String, Case)> {
        if !self.groups.contains(&group) {
            return Vec::new();
        }
        let cases = groups::of(group).into_iter();
        let named = cases.map(|case| (format!("{group}/{}", case.name), case));
        named
            .filter(|(name, _)| name.contains(&self.only))
            .collect()
    }
}

/// The names of the chosen cases, each with what is right.
pub fn list(choice: &Choice) -> Vec<(String, &'static str)> {
    let cases = Group::ALL.into_iter().flat_map(|group| choice.cases(group));
    cases.map(|(name, case)| (name, case.rule)).collect()
}

/// Runs the chosen cases; those that run alone come last.
pub async fn run(target: Target, choice: &Choice) -> Report {
    let target = Arc::new(target);
    let mut findings = Vec::new();
    for is_alone in [false, true] {
        let of_turn = |group: &Group| group.runs_alone() == is_alone;
        let chosen = Group::ALL.into_iter().filter(of_turn);
        let cases: Vec<(String, Case)> = chosen.flat_map(|group| choice.cases(group)).collect();
        // Callers that are not told apart see each other's events.
        let is_alone = is_alone || !target.is_marketplace();
        let at_once = if is_alone { 1 } else { choice.at_once.max(1) };
        let running = stream::iter(cases)
            .map(|(name, case)| judge(&target, name, case))
            .buffered(at_once);
        findings.extend(running.collect::<Vec<_>>().await);
    }
    Report { findings }
}

async fn judge(target: &Arc<Target>, case: String, it: Case) -> Finding {
    let lacking = it
        .needs
        .iter()
        .copied()
        .find(|need| !need.is_met_by(target));
    let (verdict, came) = match lacking.map(Need::reason) {
        Some(reason) => (Verdict::Skipped, reason.to_owned()),
        None => verdict(target, &it).await,
    };
    Finding {
        case,
        rule: it.rule.to_owned(),
        verdict,
        came,
    }
}

async fn verdict(target: &Arc<Target>, case: &Case) -> (Verdict, String) {
    let run = async { (case.run)(target.caller().await?).await };
    match timeout(CASE, run).await {
        Ok(Ok(came)) => (Verdict::Passed, came),
        Ok(Err(error)) => (Verdict::Failed, format!("{error:#}")),
        Err(_) => (Verdict::Failed, format!("not over after {CASE:?}")),
    }
}
