//! A libpq service file in the state folder, by which an operator's `psql` and `pg_dump` find the cluster of `up`.
//!
//! Source: the chapter "The Connection Service File" of `PostgreSQL`'s manual. It holds the password, so only its owner
//! may read it.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;

/// The file's name in the state folder, and the service's name in it.
const FILE: &str = "pg_service.conf";
const SERVICE: &str = "marketplace";

/// Writes the file for the server of `url`; an earlier one is replaced.
///
/// # Errors
/// When `url` is invalid, or the file cannot be written.
pub(super) fn write(folder: &Path, url: &str) -> anyhow::Result<()> {
    let text = service(url)?;
    let path = folder.join(FILE);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let written = options
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("writing {}", path.display()))
}

/// The server that the file of this folder names, as an address; `None` when there is no such file.
pub(crate) fn read(folder: &Path) -> Option<String> {
    let text = std::fs::read_to_string(folder.join(FILE)).ok()?;
    let value = |name: &str| {
        let mut lines = text.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
    };
    let mut url = url::Url::parse("postgres://localhost/").expect("a constant");
    url.set_host(Some(value("host")?)).ok()?;
    url.set_port(value("port")?.parse().ok()).ok()?;
    url.set_username(value("user").unwrap_or_default()).ok()?;
    url.set_password(value("password")).ok()?;
    Some(url.into())
}

fn service(url: &str) -> anyhow::Result<String> {
    let url = url::Url::parse(url).context("the address of Postgres")?;
    let host = url.host_str().unwrap_or("127.0.0.1");
    let port = url.port().unwrap_or(5432);
    let mut text = format!("[{SERVICE}]\nhost={host}\nport={port}\n");
    for (name, value) in [
        ("user", url.username()),
        ("password", url.password().unwrap_or_default()),
    ] {
        if !value.is_empty() {
            text.push_str(&format!("{name}={value}\n"));
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_names_the_server_and_only_its_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        write(
            folder.path(),
            "postgres://marketplace:secret@127.0.0.1:5433/postgres",
        )
        .unwrap();
        let path = folder.path().join(FILE);
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "[marketplace]\nhost=127.0.0.1\nport=5433\nuser=marketplace\npassword=secret\n"
        );
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
