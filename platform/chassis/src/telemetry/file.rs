//! A file that gets log lines, bounded: when it is full it makes room, and two older ones are kept.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use parking_lot::Mutex;

/// When a new file is begun, in bytes.
const FULL: u64 = 8 * 1024 * 1024;
/// Older files that are kept.
const OLDER: u32 = 2;

static FILE: OnceLock<LogFile> = OnceLock::new();

/// Opens the process's file; a second one changes nothing.
///
/// # Errors
/// When it cannot be written.
pub(super) fn open(path: &Path) -> io::Result<()> {
    if FILE.get().is_none() {
        let file = LogFile::open(path, FULL)?;
        // Two that begin at once: the first counts.
        drop(FILE.set(file));
    }
    Ok(())
}

/// The process's file, where it has one.
pub(super) fn get() -> Option<&'static LogFile> {
    FILE.get()
}

/// A file that makes room.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    full: u64,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    bytes: u64,
}

impl LogFile {
    fn open(path: &Path, full: u64) -> io::Result<Self> {
        if let Some(folder) = path.parent().filter(|it| !it.as_os_str().is_empty()) {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
        }
        Ok(Self {
            path: path.to_owned(),
            full,
            open: Mutex::new(Open::append(path)?),
        })
    }

    /// Writes a line with its end. What cannot be written is lost: a full disk must not stop a service.
    pub(super) fn write(&self, line: &str) {
        let mut open = self.open.lock();
        if open.bytes >= self.full {
            // Where the old one cannot be put away, it grows on.
            if let Ok(next) = self.begin_anew() {
                *open = next;
            }
        }
        if open.file.write_all(line.as_bytes()).is_ok() {
            open.bytes += line.len() as u64;
        }
    }

    fn begin_anew(&self) -> io::Result<Open> {
        for number in (1..OLDER).rev() {
            match fs::rename(self.older(number), self.older(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        fs::rename(&self.path, self.older(1))?;
        Open::append(&self.path)
    }

    fn older(&self, number: u32) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(format!(".{number}"));
        path.into()
    }
}

impl Open {
    fn append(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).mode(0o600).open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { file, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_makes_room_keeps_two_older_ones_and_goes_on_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/loms.log");
        for number in 0..100 {
            // A restart between any two lines.
            LogFile::open(&path, 50)
                .unwrap()
                .write(&format!("line {number:03}\n"));
        }
        let mut names: Vec<_> = fs::read_dir(path.parent().unwrap())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        assert_eq!(names, ["loms.log", "loms.log.1", "loms.log.2"]);
        let read = |name: &str| fs::read_to_string(folder.path().join("logs").join(name)).unwrap();
        let all = names
            .iter()
            .rev()
            .map(|name| read(name))
            .collect::<String>();
        let lines: Vec<_> = all.lines().collect();
        assert!(all.len() <= 3 * 60, "{}", all.len());
        assert_eq!(lines.last(), Some(&"line 099"));
        assert!(lines.is_sorted(), "{lines:?}");
    }

    #[test]
    fn nobody_else_reads_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.log");
        LogFile::open(&path, 50).unwrap().write("x\n");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
