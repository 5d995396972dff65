//! Whether the state folder can be written to and has room, asked before anything is started.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use dev_services::account::Account;
use dev_services::state;

use crate::settings::Settings;
use crate::up::stores;

/// Below this a first start fails half-way: it makes a cluster with five databases, and Kafka's storage.
const NEEDED_MIB: u64 = 384;

/// Below this a start on what is there already fails.
const NEEDED_AGAIN_MIB: u64 = 64;

/// What a first start and some days of events take.
const COMFORTABLE_MIB: u64 = 1024;

/// How much room there is on one disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// More than enough; MiB that are free.
    Ample(u64),
    /// Enough to start, for some days at most.
    Little(u64),
    /// Too little to start, and what is needed at least.
    Lacking(u64, u64),
    /// `df` does not say.
    Unknown,
}

/// Refuses a folder that `up` could not work in.
///
/// # Errors
/// Names the folder, what is wrong with it, and the flag that chooses another.
pub(crate) fn check(settings: &Settings) -> anyhow::Result<()> {
    let folder = &settings.state_dir;
    let hint = || {
        format!(
            "the state folder {} cannot be written; choose another with --state-dir DIR",
            folder.display()
        )
    };
    try_writing(folder).with_context(hint)?;
    for folder in with_data(settings) {
        if let Room::Lacking(free, needed) = room(&folder) {
            bail!(
                "{free} MiB are free where {} is, and {needed} MiB are needed; free some, or choose another folder \
                 with --state-dir DIR",
                folder.display()
            );
        }
    }
    Ok(())
}

/// Writes a file and removes it again, in the folder or where it would be made.
pub(crate) fn try_writing(folder: &Path) -> io::Result<()> {
    let probe = existing(folder).join(format!(".marketplace-probe-{}", std::process::id()));
    File::create_new(&probe)?;
    std::fs::remove_file(probe)
}

/// The folders that grow: the state folder, and where Postgres' account keeps its data when it cannot enter that one.
pub(crate) fn with_data(settings: &Settings) -> Vec<PathBuf> {
    let mut folders = vec![settings.state_dir.clone()];
    if stores::external_postgres(settings).is_none() {
        folders.extend(apart(&settings.state_dir));
    }
    folders
}

/// Where Postgres' account keeps its data when it cannot enter the state folder.
pub(crate) fn apart(folder: &Path) -> Option<PathBuf> {
    let account = Account::for_postgres().ok()?;
    // By its whole path: the account looks from `/`.
    let entered = existing(folder).canonicalize().ok()?;
    if account.can_enter(&entered) {
        return None;
    }
    let whole = std::path::absolute(folder).ok()?;
    Some(state::system_dir(&folder.canonicalize().unwrap_or(whole)))
}

/// How much room there is where the folder is, or would be.
pub(crate) fn room(folder: &Path) -> Room {
    let output = Command::new("df").arg("-Pk").arg(existing(folder)).output();
    let Some(free) = output.ok().and_then(|output| {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let kibibytes = text.lines().nth(1)?.split_whitespace().nth(3)?;
        kibibytes.parse::<u64>().ok()
    }) else {
        return Room::Unknown;
    };
    let is_begun = folder.join("kafka/data").exists() || folder.join("postgres/data").exists();
    judge(free / 1024, is_begun)
}

const fn judge(free: u64, is_begun: bool) -> Room {
    let needed = if is_begun {
        NEEDED_AGAIN_MIB
    } else {
        NEEDED_MIB
    };
    if free < needed {
        Room::Lacking(free, needed)
    } else if free < COMFORTABLE_MIB {
        Room::Little(free)
    } else {
        Room::Ample(free)
    }
}

/// The folder, or the nearest one above it that exists.
fn existing(folder: &Path) -> &Path {
    let mut above = folder.ancestors().filter(|it| !it.as_os_str().is_empty());
    above.find(|it| it.exists()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk of 40 MiB once let everything start and then broke Postgres.
    #[test]
    fn a_full_disk_is_refused_and_a_small_one_is_named() {
        assert_eq!(judge(40, false), Room::Lacking(40, NEEDED_MIB));
        assert_eq!(judge(40, true), Room::Lacking(40, NEEDED_AGAIN_MIB));
        assert_eq!(judge(100, true), Room::Little(100));
        assert_eq!(judge(600, false), Room::Little(600));
        assert_eq!(judge(5000, false), Room::Ample(5000));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_refused_with_the_flag_that_helps() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let refusal = |state_dir| {
            let settings = Settings {
                state_dir,
                ..Settings::default()
            };
            check(&settings).map_err(|error| format!("{error:#}"))
        };
        let refused = refusal(file.join("state")).unwrap_err();
        assert!(refused.contains("--state-dir DIR"), "{refused}");
        let accepted = refusal(folder.path().join("one/two"));
        assert_eq!(accepted, Ok(()), "it can be made");
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 1, "the probe is gone");
    }

    /// A relative folder was once looked for from `/`, so that every account seemed unable to enter it.
    #[test]
    fn a_relative_folder_is_the_one_that_it_is() {
        let entered = Account::for_postgres().is_ok_and(|account| {
            let here = Path::new(".").canonicalize();
            here.is_ok_and(|here| account.can_enter(&here))
        });
        assert_eq!(
            apart(Path::new(".marketplace-that-is-not-there")).is_none(),
            entered
        );
    }
}
