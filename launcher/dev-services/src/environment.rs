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

/// Where fetched jars are kept for every clone of this user: `XDG_CACHE_HOME`, else `~/.cache`, else none. A path that is not
/// absolute does not count.
///
/// Source: XDG Base Directory Specification, "Environment variables".
#[must_use]
pub fn cache_dir() -> Option<PathBuf> {
    cache_under(read("XDG_CACHE_HOME"), read("HOME"))
}

fn cache_under(cache: Option<String>, home: Option<String>) -> Option<PathBuf> {
    let absolute = |path: String| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    let base = cache
        .and_then(absolute)
        .or_else(|| Some(home.and_then(absolute)?.join(".cache")))?;
    Some(base.join("marketplace"))
}

/// Which of the variables are set that say how libpq, and what reads them as it does, reaches a server: whoever set them meant
/// another one than a private cluster.
///
/// Source: Postgres's manual, 34.15 "Environment Variables"; those that sqlx reads.
#[must_use]
pub fn libpq_variables() -> Vec<&'static str> {
    const LIBPQ: [&str; 12] = [
        "PGHOST",
        "PGHOSTADDR",
        "PGPORT",
        "PGDATABASE",
        "PGUSER",
        "PGPASSWORD",
        "PGSSLMODE",
        "PGSSLROOTCERT",
        "PGSSLCERT",
        "PGSSLKEY",
        "PGAPPNAME",
        "PGOPTIONS",
    ];
    LIBPQ
        .into_iter()
        .filter(|name| read(name).is_some())
        .collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A relative one was once given to Maven as a file and as its folder, and so doubled.
    #[test]
    fn a_cache_is_an_absolute_folder_or_none() {
        let under = |cache: Option<&str>, home: Option<&str>| {
            cache_under(cache.map(str::to_owned), home.map(str::to_owned))
        };
        let home = Some(PathBuf::from("/home/one/.cache/marketplace"));
        assert_eq!(under(None, Some("/home/one")), home);
        assert_eq!(under(Some("relative"), Some("/home/one")), home);
        assert_eq!(
            under(Some("/cache"), Some("/home/one")),
            Some(PathBuf::from("/cache/marketplace"))
        );
        assert_eq!(under(None, None), None);
        assert_eq!(under(Some("relative"), Some("relative")), None);
    }
}
