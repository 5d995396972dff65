//! The last log lines, as they were written.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A log line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// Grows by one from line to line of a process.
    #[serde(default)]
    pub seq: u64,
    /// When it was written.
    #[serde(rename = "at")]
    pub moment: DateTime<Utc>,
    /// `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`, in small letters.
    pub level: String,
    /// The service, where the process knows it.
    #[serde(default)]
    pub service: String,
    /// The module that wrote it.
    pub target: String,
    /// What happened.
    pub message: String,
    /// The trace that it belongs to.
    pub trace_id: Option<String>,
    /// What it says beside that.
    pub fields: Map<String, Value>,
}

/// What the level is called, from the worst on.
const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

impl Line {
    /// Whether the line is at least as bad as `level`; every line is for a level that is none.
    #[must_use]
    pub fn is_at_least(&self, level: &str) -> bool {
        let rank = |level: &str| LEVELS.iter().position(|it| it.eq_ignore_ascii_case(level));
        match (rank(&self.level), rank(level)) {
            (Some(own), Some(least)) => own <= least,
            _ => true,
        }
    }

    /// Whether the text is in it anywhere, in whatever letters.
    #[must_use]
    pub fn says(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let has = |part: &str| part.to_lowercase().contains(&text);
        has(&self.message)
            || has(&self.target)
            || self.fields.iter().any(|(name, value)| {
                has(name) || value.as_str().map_or_else(|| has(&value.to_string()), has)
            })
    }

    fn bytes(&self) -> usize {
        let fields = self.fields.iter();
        let fields = fields.map(|(name, value)| {
            name.len() + value.as_str().map_or(8, str::len) + 2 * size_of::<Value>()
        });
        size_of::<Self>() + self.target.len() + self.message.len() + fields.sum::<usize>()
    }
}

/// Which lines are wanted.
#[derive(Debug, Clone, Default)]
pub struct LineQuery {
    /// Only those after this one; none: the newest.
    pub after: Option<u64>,
    /// At most so many.
    pub limit: usize,
}

/// The last lines of a process.
#[derive(Debug)]
pub struct Lines {
    most_bytes: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<Line>,
    bytes: usize,
    next: u64,
}

impl Lines {
    /// None yet, and never more than so many bytes.
    #[must_use]
    pub fn of(most_bytes: usize) -> Self {
        Self {
            most_bytes,
            kept: Mutex::default(),
        }
    }

    /// Takes a line, and gives it its number.
    pub fn add(&self, mut line: Line) {
        let bytes = line.bytes();
        let mut kept = self.kept.lock();
        line.seq = kept.next;
        kept.next += 1;
        kept.bytes += bytes;
        kept.lines.push_back(line);
        while kept.bytes > self.most_bytes {
            let Some(oldest) = kept.lines.pop_front() else {
                break;
            };
            kept.bytes -= oldest.bytes();
        }
    }

    /// The lines that are wanted and of which `keep` says yes, oldest first, and the number after the last one seen.
    pub fn find(&self, query: &LineQuery, keep: impl Fn(&Line) -> bool) -> (Vec<Line>, u64) {
        let kept = self.kept.lock();
        let is_new = |line: &&Line| query.after.is_none_or(|after| line.seq >= after);
        let found = kept.lines.iter().filter(is_new).filter(|line| keep(line));
        let Some(_) = query.after else {
            let mut newest: Vec<_> = found.rev().take(query.limit).cloned().collect();
            newest.reverse();
            return (newest, kept.next);
        };
        // Whoever follows gets every line: what does not fit into this answer is in the next.
        let lines: Vec<_> = found.take(query.limit).cloned().collect();
        let is_full = lines.len() == query.limit;
        let next = lines.last().filter(|_| is_full).map(|line| line.seq + 1);
        (lines, next.unwrap_or(kept.next))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(level: &str, message: &str) -> Line {
        Line {
            seq: 0,
            moment: DateTime::UNIX_EPOCH,
            level: level.to_owned(),
            service: String::new(),
            target: "loms::order".to_owned(),
            message: message.to_owned(),
            trace_id: None,
            fields: json!({"order.id": 17, "reason": "Stock"})
                .as_object()
                .unwrap()
                .clone(),
        }
    }

    #[test]
    fn lines_without_end_take_bounded_memory_and_the_newest_stay() {
        let lines = Lines::of(100_000);
        for number in 0..10_000 {
            lines.add(line(
                "info",
                &format!("{number}{}", "x".repeat(number % 500)),
            ));
        }
        let all = LineQuery {
            after: None,
            limit: usize::MAX,
        };
        let (kept, next) = lines.find(&all, |_| true);
        assert_eq!(next, 10_000);
        assert_eq!(kept.last().unwrap().seq, 9_999);
        assert!(kept.iter().map(Line::bytes).sum::<usize>() <= 100_000);
        assert!(kept.len() > 50, "{}", kept.len());
    }

    #[test]
    fn who_follows_gets_every_line_once() {
        let lines = Lines::of(1 << 20);
        for number in 0..25 {
            let level = if number % 2 == 0 { "info" } else { "warn" };
            lines.add(line(level, &number.to_string()));
        }
        let warns = |line: &Line| line.is_at_least("warn");
        let newest = LineQuery {
            after: None,
            limit: 3,
        };
        let (found, _) = lines.find(&newest, warns);
        let numbers = |lines: &[Line]| lines.iter().map(|it| it.seq).collect::<Vec<_>>();
        assert_eq!(numbers(&found), [19, 21, 23]);
        let (mut after, mut all) = (0, Vec::new());
        loop {
            let query = LineQuery {
                after: Some(after),
                limit: 5,
            };
            let (found, next) = lines.find(&query, warns);
            if found.is_empty() {
                break;
            }
            all.extend(numbers(&found));
            after = next;
        }
        assert_eq!(all, (0..25).filter(|it| it % 2 == 1).collect::<Vec<_>>());
    }

    #[test]
    fn a_level_takes_in_the_worse_ones_and_a_text_is_looked_for_everywhere() {
        let warn = line("warn", "Too Little");
        assert!(warn.is_at_least("INFO") && warn.is_at_least("warn") && !warn.is_at_least("error"));
        assert!(warn.is_at_least(""), "no level");
        for text in ["little", "17", "stock", "order.id", "LOMS"] {
            assert!(warn.says(text), "{text}");
        }
        assert!(!warn.says("cart"));
    }
}
