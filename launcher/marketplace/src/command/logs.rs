//! `marketplace logs`: the log lines of this folder's `up`, from the files that its services write.
//!
//! A service in a process of its own has a file of its own; those that share one share its file, and are told apart by the
//! module that wrote a line. Postgres and Kafka have files in their own forms, which are shown as they are.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use ops_console::service_of_target;
use serde_json::{Map, Value};
use tokio::time::sleep;

use crate::cli::{Level, Logs};
use crate::output;
use crate::settings::Settings;
use crate::signals::StopSignals;

/// How often a followed file is looked at.
const AGAIN: Duration = Duration::from_millis(250);
/// Older files of one log, the oldest first.
const OLDER: [&str; 2] = [".2", ".1"];
/// The file of a process that has all services.
const SHARED: &str = "marketplace";
/// Stores, whose files are in their own forms.
const STORES: [&str; 2] = ["kafka", "postgres"];

/// Prints the last lines, and with `--follow` those that come.
///
/// # Errors
/// When no `up` has run here, or nothing of that name.
pub(crate) async fn run(settings: &Settings, flags: &Logs) -> anyhow::Result<()> {
    let folder = settings.state_dir.join("logs");
    let wanted = Wanted::of(flags);
    let mut files = files(&folder, flags.service.as_deref())?;
    let mut lines: Vec<Line> = Vec::new();
    for file in &mut files {
        let older = OLDER.map(|suffix| file.older(suffix));
        let texts = older.iter().filter_map(|path| std::fs::read(path).ok());
        let texts: Vec<Vec<u8>> = texts.chain([file.read_new()?]).collect();
        for text in texts {
            lines.extend(file.lines(&text, &wanted));
        }
    }
    // Several files are one story; a stable order keeps what one file wrote at one moment.
    lines.sort_by(|a, b| a.moment.cmp(&b.moment));
    let first = lines.len().saturating_sub(flags.lines);
    show(lines.drain(first..));
    if !flags.follow {
        return Ok(());
    }
    let mut signals = StopSignals::listen()?;
    loop {
        tokio::select! {
            () = sleep(AGAIN) => {}
            () = signals.next() => return Ok(()),
        }
        for file in &mut files {
            let text = file.read_new()?;
            show(file.lines(&text, &wanted));
        }
    }
}

fn show(lines: impl IntoIterator<Item = Line>) {
    let text: String = lines.into_iter().map(|line| line.text + "\n").collect();
    output::result(&text);
}

/// Which lines are wanted, and how they are written.
struct Wanted {
    service: Option<String>,
    level: Level,
    json: bool,
}

impl Wanted {
    fn of(flags: &Logs) -> Self {
        Self {
            service: flags.service.clone(),
            level: flags.level,
            json: flags.json,
        }
    }
}

/// A line as it is shown.
struct Line {
    /// When it was written, as text that sorts; empty where the file has another form.
    moment: String,
    text: String,
}

/// A file that is read from its beginning, and on from where it was read to.
#[derive(Debug)]
struct LogFile {
    path: PathBuf,
    /// Whose it is, by its name.
    owner: String,
    read: u64,
    /// The beginning of a line whose end has not come yet.
    begun: Vec<u8>,
}

/// The files to read for a service, or for all of them.
///
/// # Errors
/// When there is none.
fn files(folder: &Path, service: Option<&str>) -> anyhow::Result<Vec<LogFile>> {
    let entries = std::fs::read_dir(folder).with_context(|| {
        let folder = folder.display();
        format!("no logs are in {folder}; `marketplace up` writes them")
    })?;
    let mut all = BTreeMap::new();
    for entry in entries {
        let path = entry?.path();
        let is_log = path.extension().is_some_and(|it| it == "log");
        let owner = path.file_stem().and_then(|it| it.to_str());
        if let (true, Some(owner)) = (is_log, owner) {
            let owner = owner.to_owned();
            all.insert(
                owner.clone(),
                LogFile {
                    path,
                    owner,
                    read: 0,
                    begun: Vec::new(),
                },
            );
        }
    }
    let Some(service) = service else {
        return Ok(all.into_values().filter(|it| !it.is_store()).collect());
    };
    // `up --processes` may have run here, and `up` after it: both files have lines of the service.
    let own = all.remove(if service == "product" {
        "product-service"
    } else {
        service
    });
    let shared = all
        .remove(SHARED)
        .filter(|_| !STORES.contains(&service) && service != SHARED);
    let found: Vec<_> = own.into_iter().chain(shared).collect();
    if found.is_empty() {
        bail!("no log of {service} is in {}", folder.display());
    }
    Ok(found)
}

impl LogFile {
    fn is_store(&self) -> bool {
        STORES.contains(&self.owner.as_str())
    }

    fn older(&self, suffix: &str) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(suffix);
        path.into()
    }

    /// What has come since it was read last, up to the end of a line.
    fn read_new(&mut self) -> anyhow::Result<Vec<u8>> {
        // Between two files of one log there is a moment without any.
        let Ok(mut file) = File::open(&self.path) else {
            return Ok(Vec::new());
        };
        let length = file.metadata().context("the log's length")?.len();
        if length < self.read {
            (self.read, self.begun) = (0, Vec::new());
        }
        file.seek(SeekFrom::Start(self.read)).context("the log")?;
        let mut new = std::mem::take(&mut self.begun);
        let count = file.read_to_end(&mut new).context("the log")?;
        self.read += count as u64;
        let end = new
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |it| it + 1);
        self.begun = new.split_off(end);
        Ok(new)
    }

    fn lines<'a>(&'a self, text: &'a [u8], wanted: &'a Wanted) -> impl Iterator<Item = Line> + 'a {
        let lines = text
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty());
        lines.filter_map(|line| self.line(&String::from_utf8_lossy(line), wanted))
    }

    fn line(&self, text: &str, wanted: &Wanted) -> Option<Line> {
        let Ok(Value::Object(mut fields)) = serde_json::from_str(text) else {
            // A store's own form; or a line that a kill cut off.
            return self.is_store().then(|| Line {
                moment: String::new(),
                text: text.to_owned(),
            });
        };
        let moment = text_of(&fields, "timestamp");
        let service = self.service(&text_of(&fields, "target"));
        let is_wanted = wanted
            .service
            .as_ref()
            .is_none_or(|it| *it == service || *it == self.owner);
        let level = text_of(&fields, "level");
        if !is_wanted || !wanted.level.takes(&level) {
            return None;
        }
        let text = if wanted.json {
            fields.insert("service".to_owned(), service.into());
            Value::Object(fields).to_string()
        } else {
            readable(&service, &level, &fields)
        };
        Some(Line { moment, text })
    }

    fn service(&self, target: &str) -> String {
        match self.owner.as_str() {
            SHARED => service_of_target(target).unwrap_or(SHARED).to_owned(),
            "product-service" => "product".to_owned(),
            owner => owner.to_owned(),
        }
    }
}

fn text_of(fields: &Map<String, Value>, name: &str) -> String {
    let value = fields.get(name).and_then(Value::as_str);
    value.unwrap_or_default().to_owned()
}

/// A line for people. Control characters stay escaped: a terminal obeys them.
fn readable(service: &str, level: &str, fields: &Map<String, Value>) -> String {
    let plain = |name| {
        text_of(fields, name)
            .escape_debug()
            .to_string()
            .replace("\\\"", "\"")
    };
    let mut line = format!(
        "{} {level:>5} {service:<11} {}",
        plain("timestamp"),
        plain("message"),
    );
    for (name, value) in fields {
        if ["timestamp", "level", "target", "message"].contains(&name.as_str()) {
            continue;
        }
        let value = match value {
            Value::String(text)
                if !text.contains([' ', '"']) && !text.contains(char::is_control) =>
            {
                text.clone()
            }
            other => other.to_string(),
        };
        line.push_str(&format!(" {name}={value}"));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(service: &str, level: &str, number: u32) -> String {
        format!(
            "{{\"timestamp\":\"2026-01-01T00:00:{number:02}Z\",\"level\":\"{level}\",\"target\":\"{service}::x\",\
             \"message\":\"line {number}\",\"order.id\":{number}}}\n"
        )
    }

    fn read(folder: &Path, service: Option<&str>, level: Level) -> Vec<String> {
        let wanted = Wanted {
            service: service.map(str::to_owned),
            level,
            json: false,
        };
        let mut lines = Vec::new();
        for file in &mut files(folder, service).unwrap() {
            let text = file.read_new().unwrap();
            lines.extend(file.lines(&text, &wanted).map(|line| line.text));
        }
        lines
    }

    #[test]
    fn a_service_has_its_lines_from_its_own_file_and_from_the_shared_one() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
        write(
            "marketplace.log",
            line("loms", "INFO", 1) + &line("cart", "WARN", 2) + "{\"cut o",
        );
        write("loms.log", line("chassis", "ERROR", 3));
        write("postgres.log", "LOG: ready\n".to_owned());
        write("notes.txt", "x\n".to_owned());
        let loms = read(folder.path(), Some("loms"), Level::Info);
        assert_eq!(loms.len(), 2, "{loms:?}");
        assert!(
            loms[0].contains("ERROR loms        line 3 order.id=3"),
            "{loms:?}"
        );
        assert_eq!(read(folder.path(), None, Level::Info).len(), 3);
        assert_eq!(read(folder.path(), None, Level::Warn).len(), 2);
        assert_eq!(
            read(folder.path(), Some("postgres"), Level::Error),
            ["LOG: ready"]
        );
        assert!(files(&folder.path().join("none"), None).is_err());
        let other = tempfile::tempdir().unwrap();
        assert!(files(other.path(), Some("loms")).is_err());
    }

    #[test]
    fn who_follows_gets_each_line_once_also_when_the_file_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("loms.log");
        let (first, second) = (line("loms", "INFO", 1), line("loms", "INFO", 2));
        let (half, rest) = second.split_at(20);
        std::fs::write(&path, first.clone() + half).unwrap();
        let mut file = files(folder.path(), Some("loms")).unwrap().remove(0);
        assert_eq!(file.read_new().unwrap(), first.as_bytes());
        assert!(file.read_new().unwrap().is_empty());
        std::fs::write(&path, first.clone() + half + rest).unwrap();
        assert_eq!(file.read_new().unwrap(), second.as_bytes());
        std::fs::write(&path, &first).unwrap();
        assert_eq!(file.read_new().unwrap(), first.as_bytes(), "begun anew");
    }

    #[test]
    fn a_line_cannot_command_a_terminal() {
        let fields = serde_json::json!({"message": "a\u{1b}[2Jb", "x": "\u{7}y", "q": "say \"x\""});
        let text = readable("loms", "INFO", fields.as_object().unwrap());
        assert!(!text.contains(char::is_control), "{text:?}");
    }
}
