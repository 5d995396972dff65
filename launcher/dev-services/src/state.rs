//! The folder that keeps everything of one `up`: data, logs, keys, pids. One process at a time holds it.

use std::fs::{File, TryLockError};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::Error;
use crate::account::Account;

/// A state folder, held by this process until it is dropped.
#[derive(Debug)]
pub struct StateDir {
    root: PathBuf,
    system: PathBuf,
    _lock: File,
}

impl StateDir {
    /// Creates the folder when needed and takes it.
    ///
    /// # Errors
    /// [`Error::InUse`] while another process holds it; [`Error::File`] when it cannot be written.
    pub fn open(root: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(root).map_err(Error::file(root))?;
        let root = root.canonicalize().map_err(Error::file(root))?;
        let lock = lock(&root)?;
        let logs = root.join("logs");
        create_private(&logs)?;
        let system = system_dir(&root);
        Ok(Self {
            root,
            system,
            _lock: lock,
        })
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The log of one service.
    #[must_use]
    pub fn log(&self, service: &str) -> PathBuf {
        self.root.join("logs").join(format!("{service}.log"))
    }

    /// The folder for a service that runs under `account`: inside the state folder when that account can get there,
    /// else under `/var/tmp`, with a name made from the state folder's path.
    ///
    /// # Errors
    /// When the folder cannot be created.
    pub fn for_account(&self, service: &str, account: Account) -> Result<PathBuf, Error> {
        let base = if account.can_enter(&self.root) {
            &self.root
        } else {
            &self.system
        };
        if base == &self.system {
            create_trusted(base)?;
        }
        let folder = base.join(service);
        create_private(&folder)?;
        account.own(&folder)?;
        Ok(folder)
    }

    /// Where state lives that the account of `PostgreSQL` cannot reach inside the state folder.
    #[must_use]
    pub fn system(&self) -> &Path {
        &self.system
    }
}

/// `/var/tmp/marketplace-HASH` for a state folder: stable over restarts, different for every clone.
#[must_use]
pub fn system_dir(root: &Path) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    root.hash(&mut hasher);
    PathBuf::from(format!("/var/tmp/marketplace-{:016x}", hasher.finish()))
}

/// The pid of the process that holds a state folder now, if one does.
#[must_use]
pub fn holder(root: &Path) -> Option<String> {
    let path = root.join("lock");
    let file = File::open(&path).ok()?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            Some(std::fs::read_to_string(&path).ok()?.trim().to_owned())
        }
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

/// Creates a folder under a world-writable parent. An existing one is accepted only if this user owns it and nobody else
/// may write to it: its name can be guessed, so another user could have put programs or links there first.
pub(crate) fn create_trusted(folder: &Path) -> Result<(), Error> {
    match std::fs::create_dir(folder) {
        Ok(()) => return set_mode(folder, 0o755),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(source) => {
            return Err(Error::File {
                path: folder.to_owned(),
                source,
            });
        }
    }
    let found = std::fs::symlink_metadata(folder).map_err(Error::file(folder))?;
    let ours = crate::account::own_id() == Some(found.uid());
    if found.is_dir() && ours && found.mode() & 0o022 == 0 {
        return Ok(());
    }
    Err(Error::NotOurs {
        path: folder.to_owned(),
    })
}

/// Creates a folder that nobody else may look into: logs and events tell of orders.
pub(crate) fn create_private(folder: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(Error::file(folder))?;
    set_mode(folder, 0o700)
}

/// Creates a file that nobody else may read, before there is anything in it.
pub(crate) fn create_secret(path: &Path, content: &str) -> Result<(), Error> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path).map_err(Error::file(path))?;
    // One that was there keeps its mode.
    set_mode(path, 0o600)?;
    file.write_all(content.as_bytes())
        .map_err(Error::file(path))
}

pub(crate) fn set_mode(path: &Path, mode: u32) -> Result<(), Error> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(Error::file(path))
}

fn lock(root: &Path) -> Result<File, Error> {
    let path = root.join("lock");
    let mut file = File::options()
        .create(true)
        .read(true)
        .write(true)
        .truncate(false)
        .open(&path)
        .map_err(Error::file(&path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            file.read_to_string(&mut pid).map_err(Error::file(&path))?;
            return Err(Error::InUse {
                path: root.to_owned(),
                pid: pid.trim().to_owned(),
            });
        }
        Err(TryLockError::Error(source)) => return Err(Error::File { path, source }),
    }
    file.set_len(0).map_err(Error::file(&path))?;
    writeln!(file, "{}", std::process::id()).map_err(Error::file(&path))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_others_may_write_to_is_not_trusted() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("guessed");
        create_trusted(&folder).unwrap();
        create_trusted(&folder).unwrap();
        set_mode(&folder, 0o777).unwrap();
        assert!(matches!(
            create_trusted(&folder),
            Err(Error::NotOurs { .. })
        ));
    }

    /// Seen red with `std::fs::write` for the secret.
    #[test]
    fn nobody_else_reads_logs_and_secrets() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        let secret = dir.path().join("secret");
        create_secret(&secret, "s").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(state.log("kafka").parent().unwrap()), 0o700);
        assert_eq!(mode(&secret), 0o600);
        assert_eq!(std::fs::read_to_string(&secret).unwrap(), "s");
    }

    #[test]
    fn a_second_holder_is_told_who_has_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let _held = StateDir::open(dir.path()).unwrap();
        let Err(Error::InUse { pid, .. }) = StateDir::open(dir.path()) else {
            panic!("the folder was given out twice");
        };
        assert_eq!(pid, std::process::id().to_string());
    }
}
