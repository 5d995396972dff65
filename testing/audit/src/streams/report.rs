//! What a run found: a table for people, JSON for programs.

use serde::Serialize;

use super::case::Group;

/// How a case went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As is right.
    Passed,
    /// Otherwise.
    Failed,
    /// It means nothing for this target.
    Skipped,
}

/// One case of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// `group/name`.
    pub case: String,
    /// What is right.
    pub rule: String,
    /// How it went.
    pub verdict: Verdict,
    /// What came, or why it was skipped.
    pub came: String,
}

/// All cases of a run, in the order of the list.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// The cases.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The cases that went this way.
    pub fn of(&self, verdict: Verdict) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |it| it.verdict == verdict)
    }

    /// The table of every case.
    pub fn table(&self) -> String {
        let mut text = "| case | result | right is | what came |\n|---|---|---|---|\n".to_owned();
        for finding in &self.findings {
            let Finding {
                case,
                rule,
                verdict,
                came,
            } = finding;
            let result = match verdict {
                Verdict::Passed => "passed",
                Verdict::Failed => "FAILED",
                Verdict::Skipped => "skipped",
            };
            let came = shorten(came);
            text.push_str(&format!("| {case} | {result} | {rule} | {came} |\n"));
        }
        text
    }

    /// The table of the groups.
    pub fn totals(&self) -> String {
        let mut text = "| group | passed | failed | skipped |\n|---|---:|---:|---:|\n".to_owned();
        for group in Group::ALL {
            let prefix = format!("{group}/");
            let row = self.row(group.name(), |finding| finding.case.starts_with(&prefix));
            text.push_str(&row);
        }
        text.push_str(&self.row("all", |_| true));
        text
    }

    fn row(&self, name: &str, is_in: impl Fn(&Finding) -> bool) -> String {
        let count = |verdict| self.of(verdict).filter(|it| is_in(it)).count();
        let [passed, failed, skipped] =
            [Verdict::Passed, Verdict::Failed, Verdict::Skipped].map(count);
        format!(
            "| {name} | {passed} of {} | {failed} | {skipped} |\n",
            passed + failed
        )
    }
}

/// A cell of the table.
fn shorten(text: &str) -> String {
    const MOST: usize = 160;
    let text = text.replace('\n', " ").replace('|', "¦");
    if text.chars().count() <= MOST {
        return text;
    }
    text.chars().take(MOST).chain(['…']).collect()
}
