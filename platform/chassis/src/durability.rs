//! Whether Postgres keeps what it acknowledged: the three settings with which it does not.
//!
//! They are read as our own sessions have them, so what a role or a database overrides counts too.

use sea_orm::DatabaseConnection;

use crate::{
    postgres::{StoreError, sql::Sql},
    row, sql,
};

row! {
    /// A setting that is off.
    #[derive(Clone, PartialEq, Eq)]
    pub struct Risk {
        /// The database whose sessions have it.
        pub database: String,
        /// The setting's name.
        pub setting: String,
        /// Where it was set, in Postgres's word: `configuration file`, `database`, `user`, `default` and others.
        pub source: String,
    }
}

pub(crate) static LIST_RISKS: Sql<(), Risk> = sql!("list_risks.sql");

impl Risk {
    /// The risk and its mending, in one sentence.
    #[must_use]
    pub fn told(&self) -> String {
        let Self {
            database,
            setting,
            source,
        } = self;
        let loses = match setting.as_str() {
            "synchronous_commit" => "acknowledged orders are lost when the server dies",
            _ => "the data is damaged when the machine dies",
        };
        let mend = match source.as_str() {
            "database" => format!("ALTER DATABASE {database} RESET {setting}"),
            "user" => format!("ALTER ROLE the_role RESET {setting}"),
            "database user" => {
                format!("ALTER ROLE the_role IN DATABASE {database} RESET {setting}")
            }
            _ => format!("ALTER SYSTEM SET {setting} = on, then SELECT pg_reload_conf()"),
        };
        format!(
            "Postgres has {setting} = off (set by: {source}) in the database {database}: {loses}; mend it with {mend}"
        )
    }
}

/// The settings that are off in this session.
///
/// # Errors
/// When the server does not answer.
pub async fn risks(db: &DatabaseConnection) -> Result<Vec<Risk>, StoreError> {
    Ok(LIST_RISKS.all(db, ()).await?)
}
