//! Fetches pinned jars with Maven, once for every clone of this user.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use crate::{Error, Progress, install, java, program, run};

/// Runs a goal of the dependency plugin on `pom` so that `folder` holds its result, unless an earlier run did. Shows
/// `message` meanwhile. The marker file is written last, so a download that was broken off is repeated.
pub(crate) async fn fetch(
    service: &'static str,
    pom: &str,
    goal: &str,
    folder: &Path,
    message: &str,
    progress: &Progress,
) -> Result<(), Error> {
    // Maven runs in the folder, from where a relative path would lead elsewhere.
    let folder = &std::path::absolute(folder).map_err(Error::file(folder))?;
    let marker = folder.join(".complete");
    if std::fs::read_to_string(&marker).is_ok_and(|known| known == pom) {
        return Ok(());
    }
    std::fs::create_dir_all(folder).map_err(Error::file(folder))?;
    let _lock = wait_lock(&folder.with_extension("lock")).await?;
    if std::fs::read_to_string(&marker).is_ok_and(|known| known == pom) {
        return Ok(()); // another process fetched it meanwhile
    }
    let maven = find_or_install(service, progress).await?;
    let pom_file = folder.join("pom.xml");
    std::fs::write(&pom_file, pom).map_err(Error::file(&pom_file))?;
    let mut command = Command::new(maven);
    command
        .envs([java::LOCALE])
        .args(["-q", "-B", "-f"])
        .arg(&pom_file)
        .arg(goal)
        .arg("-DincludeScope=runtime");
    command
        .arg(format!("-DoutputDirectory={}", folder.display()))
        .current_dir(folder);
    let line = |seconds| format!("{message} ({seconds} s)");
    run::with_progress("fetching with Maven", &mut command, service, progress, line).await?;
    std::fs::write(&marker, pom).map_err(Error::file(&marker))
}

async fn find_or_install(service: &'static str, progress: &Progress) -> Result<PathBuf, Error> {
    if let Some(maven) = program::find("mvn") {
        return Ok(maven);
    }
    install::packages(service, "Maven", &["maven"], progress).await?;
    program::find("mvn").ok_or_else(|| Error::Missing {
        what: "Maven",
        fix: "put mvn on the PATH".into(),
    })
}

/// Waits for an exclusive lock, polling so that a dropped future leaves no blocked thread behind.
async fn wait_lock(path: &Path) -> Result<File, Error> {
    let file = File::create(path).map_err(Error::file(path))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(Duration::from_millis(100)).await,
            Err(TryLockError::Error(source)) => {
                return Err(Error::File {
                    path: path.to_owned(),
                    source,
                });
            }
        }
    }
}
