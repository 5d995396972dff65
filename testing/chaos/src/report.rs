//! Keeps results in a file, a JSON line for each round, so that a run can be stopped and continued. Sums them up as Markdown.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use crate::outcome::Outcome;
use crate::schedule::Counts;

/// Reads the outcomes in a file; none when the file does not exist.
///
/// # Errors
/// When a line is not an outcome.
pub(crate) fn read(file: &Path) -> anyhow::Result<Vec<Outcome>> {
    let Ok(text) = std::fs::read_to_string(file) else {
        return Ok(Vec::new());
    };
    let rounds = text.lines().map(serde_json::from_str);
    rounds
        .collect::<Result<_, _>>()
        .with_context(|| format!("reading {}", file.display()))
}

/// Appends an outcome to a file.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn append(file: &Path, outcome: &Outcome) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let mut options = File::options();
    let mut open = options
        .create(true)
        .append(true)
        .open(file)
        .with_context(|| file.display().to_string())?;
    let line = serde_json::to_string(outcome)? + "\n";
    open.write_all(line.as_bytes())?;
    Ok(())
}

/// The commit that is checked out, with `+` when something is changed; `unknown` without git.
pub(crate) fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    };
    let Some(head) = git(&["rev-parse", "--short", "HEAD"]) else {
        return "unknown".to_owned();
    };
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]).unwrap_or_default();
    if changed.is_empty() { head } else { head + "+" }
}

/// The sum of all outcomes, as a table in Markdown.
pub(crate) fn describe(rounds: &[Outcome]) -> String {
    let sum = |read: fn(&Outcome) -> u64| rounds.iter().map(read).sum::<u64>();
    let kills = total(rounds, |round| &round.kills);
    let points = total(rounds, |round| &round.points);
    let protocols = total(rounds, |round| &round.protocols);
    let failed: Vec<&Outcome> = rounds
        .iter()
        .filter(|it| !it.violations.is_empty())
        .collect();
    let seconds: f64 = rounds.iter().map(|it| it.seconds).sum();
    let mut commits: Vec<&str> = rounds.iter().map(|it| it.commit.as_str()).collect();
    commits.dedup();
    let rows = [
        ("Rounds, a new marketplace each", rounds.len().to_string()),
        ("Seeds", seeds(rounds)),
        ("Commit", commits.join(", ")),
        ("Rounds with group commit, and without", {
            let grouped = rounds.iter().filter(|it| it.group_commit).count();
            format!("{grouped}, {}", rounds.len() - grouped)
        }),
        ("Kills (`kill -9`)", kills.values().sum::<u64>().to_string()),
        ("Kills by process", list(&kills)),
        ("Hits by crash point", list(&points)),
        (
            "Mutations acknowledged as done",
            sum(|it| it.done).to_string(),
        ),
        (
            "Mutations refused with a code that is allowed",
            sum(|it| it.refused).to_string(),
        ),
        ("Mutations by protocol", list(&protocols)),
        ("Tries beyond the first", sum(|it| it.retries).to_string()),
        (
            "Mutations replayed in the end with their key",
            sum(|it| it.replayed).to_string(),
        ),
        ("Orders", sum(|it| it.orders).to_string()),
        (
            "Events, each in the topic and with one effect",
            sum(|it| it.events).to_string(),
        ),
        (
            "Messages that repeat an earlier one, which readers drop",
            sum(|it| it.repeats).to_string(),
        ),
        (
            "Frames of live streams checked",
            sum(|it| it.frames).to_string(),
        ),
        ("Streams resumed", sum(|it| it.reconnects).to_string()),
        (
            "Checks of the promises during a round",
            sum(|it| it.checks).to_string(),
        ),
        ("Hours of rounds", format!("{:.2}", seconds / 3_600.0)),
        ("Rounds that failed", failed.len().to_string()),
    ];
    let mut text = String::from("| What | How much |\n|---|---|\n");
    for (what, much) in rows {
        writeln!(text, "| {what} | {much} |").expect("writing to a string cannot fail");
    }
    for round in failed {
        writeln!(
            text,
            "\nSeed {}: {}",
            round.seed,
            round.violations.join("; ")
        )
        .expect("writing to a string cannot fail");
    }
    text
}

fn total(rounds: &[Outcome], read: fn(&Outcome) -> &Counts) -> Counts {
    let mut total = Counts::new();
    for (name, count) in rounds.iter().flat_map(read) {
        *total.entry(name.clone()).or_default() += count;
    }
    total
}

fn list(counts: &Counts) -> String {
    let named = counts.iter().map(|(name, count)| format!("{name} {count}"));
    named.collect::<Vec<_>>().join(", ")
}

/// The seeds as ranges.
fn seeds(rounds: &[Outcome]) -> String {
    let mut seeds: Vec<u64> = rounds.iter().map(|it| it.seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for seed in seeds {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == seed => *last = seed,
            _ => ranges.push((seed, seed)),
        }
    }
    let ranges = ranges.into_iter().map(|(first, last)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}..{last}")
        }
    });
    ranges.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_told_as_ranges_and_counts_are_added_up() {
        let round = |seed, kills| Outcome {
            seed,
            kills: Counts::from([("loms".to_owned(), kills)]),
            ..Outcome::default()
        };
        let rounds = [round(3, 2), round(1, 1), round(2, 4), round(9, 1)];
        assert_eq!(seeds(&rounds), "1..3, 9");
        assert_eq!(list(&total(&rounds, |it| &it.kills)), "loms 8");
        assert!(describe(&rounds).contains("| Kills (`kill -9`) | 8 |"));
    }

    #[test]
    fn a_run_is_taken_up_where_its_file_ends() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rounds.jsonl");
        assert!(read(&file).unwrap().is_empty());
        for seed in 1..=2 {
            let round = Outcome {
                seed,
                ..Outcome::default()
            };
            append(&file, &round).unwrap();
        }
        assert_eq!(read(&file).unwrap().last().unwrap().seed, 2);
    }
}
