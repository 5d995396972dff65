//! The services' roles in Postgres, each with the least rights; the migrations make them.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use chassis::config::Secret;
use chassis::postgres;
use migrations::Database;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Settings;

/// Passwords of the services' roles. `migrate` sets them; a service whose role has one here connects as that role, and else as
/// `postgres.url` says. `up` makes its own for a server of its own.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseRoles {
    /// Of `marketplace_loms`.
    pub loms: Secret,
    /// Of `marketplace_cart`.
    pub cart: Secret,
    /// Of `marketplace_comments`.
    pub comments: Secret,
    /// Of `marketplace_notifier`.
    pub notifier: Secret,
}

impl DatabaseRoles {
    /// Each database with the password of its role; those without one are left out.
    pub(crate) fn passwords(&self) -> Vec<(Database, &str)> {
        let all = [
            (Database::Loms, &self.loms),
            (Database::Cart, &self.cart),
            (Database::Comments, &self.comments),
            (Database::Notifier, &self.notifier),
        ];
        let set = all.into_iter().filter(|(_, password)| !password.is_empty());
        set.map(|(database, password)| (database, password.expose()))
            .collect()
    }

    /// Reads the passwords of a state folder, and makes them the first time. Only the folder's owner can read them.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub(crate) fn load_or_create(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join("database-roles");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let text = (0..4)
                    .map(|_| format!("{:032x}\n", rand::random::<u128>()))
                    .collect();
                write(&path, &text).with_context(|| format!("writing {}", path.display()))?;
                text
            }
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        };
        let mut lines = text.lines().map(|line| Secret::new(line.to_owned()));
        let mut next = || lines.next().filter(|it| !it.is_empty());
        let missing = || {
            format!(
                "{} is cut off; delete it, and it is made again",
                path.display()
            )
        };
        Ok(Self {
            loms: next().with_context(missing)?,
            cart: next().with_context(missing)?,
            comments: next().with_context(missing)?,
            notifier: next().with_context(missing)?,
        })
    }
}

fn write(path: &Path, text: &String) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}

impl Settings {
    /// How the service that has `database` connects.
    pub(crate) fn postgres_of(&self, database: Database) -> postgres::Config {
        let mut config = self.postgres.clone();
        let passwords = self.database_roles.passwords();
        let found = passwords.into_iter().find(|(of, _)| *of == database);
        if let (Some((_, password)), Ok(address)) = (found, config.address()) {
            config.url = address.with_user(database.role(), password).to_secret();
        }
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_connects_as_its_role_where_that_has_a_password() {
        let mut settings = Settings::default();
        settings.postgres.url = Secret::new("postgres://owner:secret@host:1/".to_owned());
        settings.database_roles.cart = Secret::new("p/w".to_owned());
        let url = |database| settings.postgres_of(database).url.expose().to_owned();
        assert_eq!(
            url(Database::Cart),
            "postgres://marketplace_cart:p%2Fw@host:1/"
        );
        assert_eq!(url(Database::Loms), "postgres://owner:secret@host:1/");
    }

    #[test]
    fn a_state_folder_keeps_its_passwords_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let first = DatabaseRoles::load_or_create(folder.path()).unwrap();
        let again = DatabaseRoles::load_or_create(folder.path()).unwrap();
        assert_eq!(first.passwords(), again.passwords());
        assert_eq!(first.passwords().len(), 4);
        let path = folder.path().join("database-roles");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
