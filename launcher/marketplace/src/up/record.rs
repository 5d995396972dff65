//! What an `up` writes down of itself in the state folder, by which `status`, `stop` and `open` find it: no flag has to be
//! repeated for them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use dev_services::process::Identity;
use dev_services::state;
use serde::{Deserialize, Serialize};

use super::ports;
use crate::settings::Settings;

/// The file in the state folder.
const FILE: &str = "up.json";

/// An `up` as it was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Whether each service has a process of its own.
    pub(crate) separate: bool,
    /// Where GraphQL and the pages are.
    pub(crate) router: SocketAddr,
    /// Everything that listens.
    pub(crate) listeners: Vec<Listener>,
}

/// One port of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listener {
    pub(crate) what: String,
    pub(crate) address: SocketAddr,
}

/// An `up` that runs now.
#[derive(Debug)]
pub(crate) struct Running {
    /// Its process.
    pub(crate) process: Identity,
    /// What it wrote down; none in its first moments.
    pub(crate) record: Option<Record>,
    folder: PathBuf,
}

/// Removes the file when the `up` ends.
#[derive(Debug)]
pub(super) struct Written(PathBuf);

impl Drop for Written {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::debug!(%error, "up.json stays; it says nothing without its process");
        }
    }
}

/// Writes down what is being started.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn write(folder: &Path, settings: &Settings, separate: bool) -> anyhow::Result<Written> {
    let all = ports::all(settings, separate).into_iter();
    let record = Record {
        separate,
        router: settings.router.listen,
        listeners: all
            .map(|it| Listener {
                what: it.what.to_owned(),
                address: it.address,
            })
            .collect(),
    };
    let path = folder.join(FILE);
    std::fs::write(&path, serde_json::to_vec_pretty(&record)?)
        .with_context(|| format!("writing {}", path.display()))?;
    Ok(Written(path))
}

/// The `up` that holds this state folder now, if one does.
///
/// # Errors
/// When what it wrote down cannot be read.
pub(crate) fn find(folder: &Path) -> anyhow::Result<Option<Running>> {
    let Some(process) = state::holder(folder)
        .and_then(|pid| pid.parse().ok())
        .and_then(Identity::of)
    else {
        return Ok(None);
    };
    let path = folder.join(FILE);
    let record = match std::fs::read(&path) {
        Ok(text) => Some(
            serde_json::from_slice(&text).with_context(|| format!("reading {}", path.display()))?,
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    };
    Ok(Some(Running {
        process,
        record,
        folder: folder.to_owned(),
    }))
}

impl Running {
    /// Name and process of each service that has one of its own.
    pub(crate) fn services(&self) -> Vec<(&'static str, u32)> {
        super::fleet::pids(&self.folder.join("run"))
    }

    /// Name and process of each broker of a cluster.
    pub(crate) fn brokers(&self) -> Vec<(&'static str, u32)> {
        super::fleet::brokers(&self.folder.join("run"))
    }
}

#[cfg(test)]
mod tests {
    use dev_services::state::StateDir;

    use super::*;

    #[test]
    fn an_up_is_found_while_it_holds_its_folder_and_no_longer() {
        let folder = tempfile::tempdir().unwrap();
        assert!(find(folder.path()).unwrap().is_none(), "a new folder");
        let state = StateDir::open(folder.path()).unwrap();
        let written = write(folder.path(), &Settings::default(), false).unwrap();
        let running = find(folder.path()).unwrap().expect("it runs");
        assert_eq!(running.process.pid, std::process::id());
        let record = running.record.expect("it is written down");
        assert_eq!(record.router, Settings::default().router.listen);
        assert!(record.listeners.len() > 5, "{record:?}");
        drop(state);
        assert!(find(folder.path()).unwrap().is_none(), "it has ended");
        drop(written);
        assert!(!folder.path().join(FILE).exists());
    }
}
