//! The result: one line a case.

use std::{
    fmt::{self, Display},
    time::{Duration, Instant},
};

/// One case and how it went.
#[derive(Debug)]
struct Line {
    section: &'static str,
    name: &'static str,
    failure: Option<String>,
    took: Duration,
}

/// All cases in the order they ran.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<Line>);

impl Table {
    /// Runs one case and notes its result.
    pub(super) async fn case(
        &mut self,
        section: &'static str,
        name: &'static str,
        case: impl Future<Output = anyhow::Result<()>>,
    ) {
        let started_at = Instant::now();
        let limit = Duration::from_secs(30);
        let failure = match tokio::time::timeout(limit, case).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("{error:#}")),
            Err(_) => Some(format!("no end after {limit:?}")),
        };
        self.0.push(Line {
            section,
            name,
            failure,
            took: started_at.elapsed(),
        });
    }

    /// How many cases ran.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The names of all cases.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|line| line.name)
    }

    /// The names of the cases that failed.
    pub(crate) fn failed(&self) -> Vec<&'static str> {
        self.0
            .iter()
            .filter(|line| line.failure.is_some())
            .map(|line| line.name)
            .collect()
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| Section | Case | Result | ms |\n|---|---|---|---|")?;
        for line in &self.0 {
            let result = line
                .failure
                .as_deref()
                .unwrap_or("ok")
                .replace(['\n', '|'], " ");
            let took = line.took.as_millis();
            writeln!(
                f,
                "| {} | {} | {result} | {took} |",
                line.section, line.name
            )?;
        }
        writeln!(
            f,
            "\n{} of {} cases hold",
            self.len() - self.failed().len(),
            self.len()
        )
    }
}
