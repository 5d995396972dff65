//! Whose account `PostgreSQL` runs under: it refuses to run as root.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::Error;

/// The account that owns the cluster's files and runs its programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// The caller's own.
    Own,
    /// Another one, because the caller is root.
    Other {
        /// User id.
        uid: u32,
        /// Group id.
        gid: u32,
    },
}

impl Account {
    /// The caller's own account, or for root `postgres`, else `nobody`.
    ///
    /// # Errors
    /// When the caller is root and neither account exists.
    pub fn for_postgres() -> Result<Self, Error> {
        if !is_root() {
            return Ok(Self::Own);
        }
        ["postgres", "nobody"]
            .into_iter()
            .find_map(find)
            .ok_or_else(|| Error::Missing {
                what: "an account for PostgreSQL, which refuses to run as root",
                fix: "run: useradd --system postgres".into(),
            })
    }

    /// Makes `command` run under this account, from a folder that every account can enter.
    pub fn apply(self, command: &mut Command) {
        use std::os::unix::process::CommandExt as _;
        command.current_dir("/");
        if let Self::Other { uid, gid } = self {
            command.uid(uid).gid(gid); // also clears root's supplementary groups
        }
    }

    /// Gives `path` to this account.
    ///
    /// # Errors
    /// When the owner cannot be changed.
    pub fn own(self, path: &Path) -> Result<(), Error> {
        match self {
            Self::Own => Ok(()),
            Self::Other { uid, gid } => {
                std::os::unix::fs::chown(path, Some(uid), Some(gid)).map_err(Error::file(path))
            }
        }
    }

    /// Whether this account can enter the folder, that is every parent of it too.
    #[must_use]
    pub fn can_enter(self, folder: &Path) -> bool {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", r#"cd "$1""#, "sh"]).arg(folder);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.apply(&mut command);
        command.status().is_ok_and(|status| status.success())
    }
}

/// Whether this process runs as root.
#[must_use]
pub fn is_root() -> bool {
    own_id() == Some(0)
}

/// This process's user id.
pub(crate) fn own_id() -> Option<u32> {
    id(&["-u"])
}

fn find(name: &str) -> Option<Account> {
    Some(Account::Other {
        uid: id(&["-u", name])?,
        gid: id(&["-g", name])?,
    })
}

fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id")
        .args(arguments)
        .stderr(Stdio::null())
        .output()
        .ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}
