//! Why a service cannot be started. Each message ends with what to do about it.

use std::path::PathBuf;

/// Why a service could not be found, fetched, started or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program or library is missing and could not be installed from here.
    #[error("{what} is missing; {fix}")]
    Missing {
        /// What is missing, with the oldest version that works.
        what: &'static str,
        /// What to do, often a command to run.
        fix: String,
    },
    /// A file or folder could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A program could not be run at all.
    #[error("cannot run {program}: {source}")]
    Spawn {
        /// The program.
        program: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// A program ended with a failure.
    #[error("{what} failed: {output}")]
    Failed {
        /// What was being done.
        what: String,
        /// The end of what the program wrote.
        output: String,
    },
    /// A service ended while it was starting.
    #[error("{service} stopped while starting; the end of its log {}:\n{tail}", log.display())]
    Exited {
        /// The service.
        service: &'static str,
        /// Its log file.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// A service did not answer within its time.
    #[error("{service} is not ready after {seconds} s; see {}", log.display())]
    NotReady {
        /// The service.
        service: &'static str,
        /// The limit, in seconds.
        seconds: u64,
        /// Its log file.
        log: PathBuf,
    },
    /// Another living process holds the state folder.
    #[error("{} is in use by process {pid}; stop it (`marketplace stop`), or choose another folder with --state-dir", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The process that holds it.
        pid: String,
    },
    /// A folder whose name can be guessed belongs to another user, or others may write to it.
    #[error("{} belongs to another user or others may write to it; inspect it, remove it and start again", path.display())]
    NotOurs {
        /// The folder.
        path: PathBuf,
    },
    /// A fetched file is not the one that was pinned.
    #[error("{} has SHA-256 {found} instead of {expected}; remove it and start again", path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
}

impl Error {
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
