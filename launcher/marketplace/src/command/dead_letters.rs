//! `marketplace dead-letters`: lists, shows, replays and deletes what the notifier could not handle.

use std::fmt::Write as _;
use std::process::ExitCode;

use chassis::clock::Clock;
use notifier::{DeadLetter, DeadLetters, Replayed, Stdout};

use crate::cli::{DeadLetterAction, ReplayWhich};
use crate::output;
use crate::settings::Settings;
use crate::verify;

/// Rows read at a time.
const PAGE: u32 = 100;

/// Lists, shows, replays or deletes. Exit code 1: a message is still not handled; it stays parked.
///
/// # Errors
/// When the database does not answer, or there is no such dead letter.
pub(crate) async fn run(
    settings: &Settings,
    action: &DeadLetterAction,
) -> anyhow::Result<ExitCode> {
    let mut postgres = settings.postgres.clone();
    postgres.url = verify::address(settings)?;
    let letters = DeadLetters::open(&postgres, &settings.notifier, Clock::system()).await?;
    match action {
        DeadLetterAction::List { json } => list(&letters, *json).await?,
        DeadLetterAction::Show { id } => {
            let text = serde_json::to_string_pretty(&letters.show(*id).await?)?;
            output::result(&(text + "\n"));
        }
        DeadLetterAction::Delete { id } => {
            let text = serde_json::to_string(&letters.delete(*id).await?)?;
            output::result(&(text + "\n"));
            output::progress("delete", &format!("{id} deleted"));
        }
        DeadLetterAction::Replay { which, dry_run } => {
            return replay(&letters, which, *dry_run).await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(letters: &DeadLetters, json: bool) -> anyhow::Result<()> {
    let mut after = 0;
    loop {
        let page = letters.list(after, PAGE).await?;
        let Some(last) = page.last() else {
            if after == 0 && !json {
                // Not among the results, which others read line by line.
                output::progress("list", "no dead letters");
            }
            return Ok(());
        };
        after = last.id;
        let mut text = String::new();
        for letter in &page {
            if json {
                writeln!(text, "{}", serde_json::to_string(letter)?)?;
            } else {
                text.push_str(&line(letter));
            }
        }
        output::result(&text);
    }
}

fn line(letter: &DeadLetter) -> String {
    let kind = match letter.refused_event {
        Some(_) => "webhook",
        None => "message",
    };
    format!(
        "{:<8} {kind} {} {}/{} {}\n",
        letter.id,
        letter.parked_at.format("%Y-%m-%dT%H:%M:%SZ"),
        letter.partition,
        letter.offset,
        on_one_line(&letter.reason)
    )
}

/// Escapes control characters: a foreign message may contain any, and they would move the terminal's cursor.
fn on_one_line(text: &str) -> String {
    let escaped = text.chars().map(|it| {
        if it.is_control() {
            it.escape_default().to_string()
        } else {
            it.to_string()
        }
    });
    escaped.collect()
}

async fn replay(
    letters: &DeadLetters,
    which: &ReplayWhich,
    dry_run: bool,
) -> anyhow::Result<ExitCode> {
    if let Some(id) = which.id {
        let replayed = letters.replay(id, &Stdout, dry_run).await?;
        output::progress("replay", &describe(id, replayed, dry_run));
        return Ok(ExitCode::SUCCESS);
    }
    let mut outcome = ExitCode::SUCCESS;
    let mut after = 0;
    loop {
        let page = letters.list(after, PAGE).await?;
        let Some(last) = page.last() else {
            if after == 0 {
                output::progress("replay", "no dead letters");
            }
            return Ok(outcome);
        };
        after = last.id;
        for letter in page {
            match letters.replay(letter.id, &Stdout, dry_run).await {
                Ok(replayed) => output::progress("replay", &describe(letter.id, replayed, dry_run)),
                Err(error) => {
                    outcome = ExitCode::FAILURE;
                    let error = chassis::fault::chain(&error);
                    output::progress("replay", &format!("{} stays: {error}", letter.id));
                }
            }
        }
    }
}

fn describe(id: i64, replayed: Replayed, dry_run: bool) -> String {
    let did = match replayed {
        Replayed::Handled => "handled",
        Replayed::Known => "removed, its event was handled before",
        Replayed::Queued => "queued for the webhook",
    };
    if dry_run {
        format!("{id} would be {did}")
    } else {
        format!("{id} {did}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_stays_on_its_line_and_moves_no_cursor() {
        let escaped = on_one_line("no \"event\" é\n\x1b[2J");
        assert_eq!(escaped, "no \"event\" é\\n\\u{1b}[2J");
    }
}
