//! The environment variables that name external services and this machine's programs. They are read only here.

use std::path::PathBuf;

/// `DATABASE_URL`: a `PostgreSQL` server to use; nothing is started then.
#[must_use]
pub fn database_url() -> Option<String> {
    read("DATABASE_URL")
}

/// `KAFKA_BROKERS`: brokers to use; nothing is started then.
#[must_use]
pub fn kafka_brokers() -> Option<String> {
    read("KAFKA_BROKERS")
}

/// `PG_BIN`: the folder with `initdb` and `postgres`.
#[must_use]
pub fn pg_bin() -> Option<PathBuf> {
    read("PG_BIN").map(PathBuf::from)
}

/// `JAVA_HOME`: the Java to use before the one on the path.
#[must_use]
pub fn java_home() -> Option<PathBuf> {
    read("JAVA_HOME").map(PathBuf::from)
}

/// Where fetched jars are kept for every clone of this user: `XDG_CACHE_HOME`, else `~/.cache`, else none.
#[must_use]
pub fn cache_dir() -> Option<PathBuf> {
    let base = read("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| read("HOME").map(|home| PathBuf::from(home).join(".cache")))?;
    Some(base.join("marketplace"))
}

/// The folders of `PATH`, in order.
#[must_use]
pub fn path() -> Vec<PathBuf> {
    read("PATH")
        .map(|path| std::env::split_paths(&path).collect())
        .unwrap_or_default()
}

#[expect(
    clippy::disallowed_methods,
    reason = "runs before any configuration is loaded, and in tests without one"
)]
fn read(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
