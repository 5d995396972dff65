//! Where the machine keeps its `PostgreSQL` programs.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::archive;
use crate::account::Account;
use crate::{Error, Progress, install, program, state};

/// The oldest major version that the product's SQL is written for.
pub const LEAST_MAJOR: u32 = 15;

/// The folders in which distributions keep one `bin` a major version; `*` stands for it.
const LAYOUTS: [&str; 6] = [
    "/usr/lib/postgresql/*/bin",          // Debian, Ubuntu
    "/usr/pgsql-*/bin",                   // Red Hat, by the PostgreSQL project
    "/opt/homebrew/opt/postgresql@*/bin", // Homebrew on ARM
    "/usr/local/opt/postgresql@*/bin",    // Homebrew on Intel
    "/usr/local/pgsql-*/bin",
    "/usr/lib/postgresql*/bin", // SUSE, Alpine
];

/// A folder with `initdb` and `postgres`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// The folder.
    pub bin: PathBuf,
    /// The major version of its `postgres`.
    pub major: u32,
    /// How it was found, for the banner.
    pub source: &'static str,
}

/// Finds binaries on this machine. `made_by` is the major version of an existing data folder, which no other version
/// can open; without one the first source wins, and in the distributions' folders the highest version.
#[must_use]
pub fn find(pg_bin: Option<&Path>, made_by: Option<u32>) -> Option<Binaries> {
    let fits = |found: &Binaries| {
        found.major >= LEAST_MAJOR && made_by.is_none_or(|major| major == found.major)
    };
    if let Some(bin) = pg_bin {
        return look(bin, "PG_BIN").filter(fits); // an explicit wish is not second-guessed
    }
    let on_path = program::find("postgres").and_then(|found| found.canonicalize().ok());
    let on_path = on_path
        .as_deref()
        .and_then(Path::parent)
        .and_then(|bin| look(bin, "the path"));
    on_path.filter(fits).or_else(|| {
        in_layouts()
            .into_iter()
            .filter(fits)
            .max_by_key(|found| found.major)
    })
}

/// Finds binaries, or fetches pinned ones by Maven.
///
/// # Errors
/// [`Error::Missing`] with the line that installs `PostgreSQL`.
pub async fn find_or_fetch(
    pg_bin: Option<&Path>,
    made_by: Option<u32>,
    cache: &Path,
    account: Account,
    progress: &Progress,
) -> Result<Binaries, Error> {
    if let Some(found) = find(pg_bin, made_by) {
        return Ok(found);
    }
    let missing = |why: String| Error::Missing {
        what: "PostgreSQL 15 or newer (initdb and postgres)",
        fix: format!(
            "on Debian or Ubuntu run: {}{why}",
            install::line(&["postgresql"])
        ),
    };
    if let Some(bin) = pg_bin {
        return Err(missing(format!(
            "; PG_BIN={} has no fitting postgres",
            bin.display()
        )));
    }
    // The cache of a root user lies under a home that the cluster's account may not enter.
    let shared = PathBuf::from("/var/tmp/marketplace-binaries");
    let cache = if account == Account::Own {
        cache
    } else {
        &shared
    };
    if account != Account::Own {
        state::create_trusted(cache)?;
    }
    match archive::fetch(cache, progress).await {
        Ok(bin) => look(&bin, "the archive fetched by Maven")
            .filter(|found| made_by.is_none_or(|major| major == found.major))
            .ok_or_else(|| {
                missing(
                    made_by
                        .map(|major| format!(" (the data folder needs version {major})"))
                        .unwrap_or_default(),
                )
            }),
        Err(error) => Err(missing(format!("; fetching binaries failed: {error}"))),
    }
}

fn in_layouts() -> Vec<Binaries> {
    LAYOUTS
        .iter()
        .flat_map(|layout| expand(layout))
        .filter_map(|bin| look(&bin, "the distribution's folder"))
        .collect()
}

/// Expands the one `*` of a layout.
fn expand(layout: &str) -> Vec<PathBuf> {
    let Some((before, after)) = layout.split_once('*') else {
        return vec![PathBuf::from(layout)];
    };
    let (folder, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path().join(after.trim_start_matches('/')))
        .collect()
}

fn look(bin: &Path, source: &'static str) -> Option<Binaries> {
    if !bin.join("initdb").is_file() {
        return None;
    }
    let output = Command::new(bin.join("postgres"))
        .arg("--version")
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text
        .split_whitespace()
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    Some(Binaries {
        bin: bin.to_owned(),
        major: digits.parse().ok()?,
        source,
    })
}
