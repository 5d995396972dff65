//! The last log lines, searched and followed.

use chassis::telemetry::recent::{Line, LineQuery, recent};
use serde::{Deserialize, Serialize};

use crate::attribution;
use crate::refusal::Refusal;

/// Lines in one answer at most.
const MOST: usize = 1_000;

/// Which lines are wanted.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Wanted {
    service: String,
    /// The least bad level.
    level: String,
    trace: String,
    q: String,
    limit: usize,
    /// Only those from this number on, which an answer gave as `next`.
    after: Option<u64>,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            service: String::new(),
            level: String::new(),
            trace: String::new(),
            q: String::new(),
            limit: 500,
            after: None,
        }
    }
}

/// What `GET logs` answers.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Shown {
    next: u64,
    lines: Vec<Line>,
}

/// The lines that are wanted, oldest first.
///
/// # Errors
/// [`Refusal::Argument`] for a limit that is out of its bounds.
pub(crate) fn list(wanted: &Wanted) -> Result<Shown, Refusal> {
    let limit = wanted.limit;
    if !(1..=MOST).contains(&limit) {
        let text = format!("limit is {limit}: it must be from 1 to {MOST}");
        return Err(Refusal::Argument(text));
    }
    let Some(recent) = recent() else {
        return Ok(Shown::default());
    };
    let query = LineQuery {
        after: wanted.after,
        limit,
    };
    let (mut lines, next) = recent.lines.find(&query, |line| wanted.wants(line));
    for line in &mut lines {
        line.service = service(line);
    }
    Ok(Shown { next, lines })
}

impl Wanted {
    fn wants(&self, line: &Line) -> bool {
        let any = |wanted: &str| wanted.is_empty();
        line.is_at_least(&self.level)
            && (any(&self.trace) || line.trace_id.as_deref() == Some(&self.trace))
            && (any(&self.service) || service(line) == self.service)
            && (any(&self.q) || line.says(&self.q))
    }
}

/// The line's service: its process's, or by the module that wrote it.
fn service(line: &Line) -> String {
    if !line.service.is_empty() {
        return line.service.clone();
    }
    let of = attribution::of_target(&line.target);
    of.unwrap_or(attribution::SHARED).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Line {
        serde_json::from_str(
            r#"{"at":"2026-01-01T00:00:00Z","level":"warn","target":"loms::order","message":"too little",
                "traceId":"0af7","fields":{"order.id":17}}"#,
        )
        .unwrap()
    }

    #[test]
    fn lines_are_told_apart_by_service_level_trace_and_text() {
        let wants = |change: fn(&mut Wanted)| {
            let mut wanted = Wanted::default();
            change(&mut wanted);
            wanted.wants(&line())
        };
        assert!(wants(|_| {}));
        assert!(wants(|it| it.service = "loms".to_owned()));
        assert!(wants(|it| it.level = "info".to_owned()));
        assert!(wants(|it| it.trace = "0af7".to_owned()));
        assert!(wants(|it| it.q = "LITTLE".to_owned()));
        assert!(!wants(|it| it.service = "cart".to_owned()));
        assert!(!wants(|it| it.level = "error".to_owned()));
        assert!(!wants(|it| it.trace = "0af".to_owned()));
        assert!(!wants(|it| it.q = "much".to_owned()));
    }
}
