//! The services' roles: each may read and write the rows of its own database, and nothing else.
//!
//! The migrations make the roles and give them their rights; here they get their passwords. Whoever has no password for a role
//! connects as the address of Postgres says.

use sea_orm_migration::sea_orm::{
    ConnectOptions, ConnectionTrait, Database as Server, DbBackend, DbErr, Statement,
    TransactionTrait,
};

use crate::Database;

impl Database {
    /// The role of the service that has this database.
    #[must_use]
    pub const fn role(self) -> &'static str {
        match self {
            Self::Loms => "marketplace_loms",
            Self::Cart => "marketplace_cart",
            Self::Comments => "marketplace_comments",
            Self::Notifier => "marketplace_notifier",
        }
    }
}

/// Lets the services' roles log in with these passwords, over the server's URL as a user who may alter roles.
///
/// # Errors
/// When the server does not answer or refuses; also when a role was not made, because the migrations may not make roles.
pub async fn set_passwords(server_url: &str, passwords: &[(Database, &str)]) -> Result<(), DbErr> {
    if passwords.is_empty() {
        return Ok(());
    }
    let options = ConnectOptions::new(server_url)
        .max_connections(1)
        .to_owned();
    let db = Server::connect(options).await?;
    let tx = db.begin().await?;
    // Two processes that alter one role at the same moment would fail.
    tx.execute_unprepared("select pg_advisory_xact_lock(7305816421)")
        .await?;
    for (database, password) in passwords {
        // ALTER ROLE takes no parameters, so the server quotes them.
        let quoted = "select format('alter role %I login password %L', $1::text, $2::text)";
        let values = [database.role().into(), (*password).into()];
        let quoted = Statement::from_sql_and_values(DbBackend::Postgres, quoted, values);
        let row = tx.query_one_raw(quoted).await?;
        let row = row.ok_or_else(|| DbErr::Custom("the server quotes nothing".to_owned()))?;
        tx.execute_unprepared(&row.try_get_by_index::<String>(0)?)
            .await?;
    }
    tx.commit().await?;
    db.close().await
}
