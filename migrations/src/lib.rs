//! The databases' schemas: one database a service, one migrator each, plain SQL files up and down.
//!
//! A migration is two files, `migrations/<database>/NNNN_what_changes.{up,down}.sql`, and a line in [`Database::steps`].
//! Each runs in a transaction; an applied one is never edited. A lock on the server lets several processes migrate at
//! the same time: the second finds the work done.

use async_trait::async_trait;
use sea_orm_migration::prelude::{MigrationName, MigrationTrait, SchemaManager};
use sea_orm_migration::sea_orm::{
    ConnectOptions, ConnectionTrait, Database as Server, DatabaseConnection, DbBackend, DbErr,
    Statement, TransactionTrait,
};
use sea_orm_migration::{MigrationStatus, MigratorTraitSelf};

/// Every database that the marketplace uses, by name; two of them share the comments' schema.
pub const DATABASES: [(&str, Database); 5] = [
    ("loms", Database::Loms),
    ("cart", Database::Cart),
    ("comments_0", Database::Comments),
    ("comments_1", Database::Comments),
    ("notifier", Database::Notifier),
];

/// Whose schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Database {
    /// Orders, stock, outbox.
    Loms,
    /// Carts and checkouts.
    Cart,
    /// One shard of the comments.
    Comments,
    /// The notifier's inbox.
    Notifier,
}

struct Step {
    name: &'static str,
    up: &'static str,
    down: &'static str,
}

macro_rules! steps {
    ($($path:literal),* $(,)?) => {
        &[$(Step {
            name: $path,
            up: include_str!(concat!("../", $path, ".up.sql")),
            down: include_str!(concat!("../", $path, ".down.sql")),
        }),*]
    };
}

impl Database {
    /// The migrations in the order in which they are applied.
    fn steps(self) -> &'static [Step] {
        match self {
            Self::Loms => steps![
                "loms/0001_orders",
                "loms/0002_outbox",
                "loms/0003_idempotency",
                "loms/0004_order_history"
            ],
            Self::Cart => steps![
                "cart/0001_carts",
                "cart/0002_checkouts",
                "cart/0003_named_changes",
                "cart/0004_retention",
                "cart/0005_idempotency_keys",
                "cart/0006_cart_changes_mirrored",
                "cart/0007_cart_changes_copied"
            ],
            Self::Comments => steps!["comments/0001_comments", "comments/0002_idempotency_keys"],
            Self::Notifier => steps![
                "notifier/0001_inbox",
                "notifier/0002_webhook",
                "notifier/0003_retention"
            ],
        }
    }
}

impl MigratorTraitSelf for Database {
    fn migrations(&self) -> Vec<Box<dyn MigrationTrait>> {
        let steps = self.steps().iter();
        steps
            .map(|step| Box::new(Sql(step)) as Box<dyn MigrationTrait>)
            .collect()
    }
}

struct Sql(&'static Step);

impl MigrationName for Sql {
    fn name(&self) -> &str {
        self.0.name
    }
}

#[async_trait]
impl MigrationTrait for Sql {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .get_connection()
            .execute_unprepared(self.0.up)
            .await
            .map(drop)
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .get_connection()
            .execute_unprepared(self.0.down)
            .await
            .map(drop)
    }
}

/// Applies what is pending.
///
/// # Errors
/// When a statement fails; its migration is taken back whole.
pub async fn up(db: &DatabaseConnection, database: Database) -> Result<(), DbErr> {
    let locked = lock(db).await?;
    database.up(db, None).await?;
    locked.commit().await
}

/// Takes every migration back, the newest first; the data goes with them.
///
/// # Errors
/// When a statement fails.
pub async fn down(db: &DatabaseConnection, database: Database) -> Result<(), DbErr> {
    let locked = lock(db).await?;
    database.down(db, None).await?;
    locked.commit().await
}

/// Each migration with whether it is applied.
///
/// # Errors
/// When the server does not answer.
pub async fn status(
    db: &DatabaseConnection,
    database: Database,
) -> Result<Vec<(String, bool)>, DbErr> {
    let migrations = database.get_migration_with_status_read_only(db).await?;
    let applied = |status| status == MigrationStatus::Applied;
    Ok(migrations
        .iter()
        .map(|found| (found.name().to_owned(), applied(found.status())))
        .collect())
}

/// Creates the databases that are missing, over the server's URL (any database of it).
///
/// # Errors
/// When the server does not answer or refuses.
pub async fn create_databases(server_url: &str) -> Result<(), DbErr> {
    let db = Server::connect(
        ConnectOptions::new(server_url)
            .max_connections(1)
            .to_owned(),
    )
    .await?;
    for (name, _) in DATABASES {
        let find = "select 1 from pg_database where datname = $1";
        let find = Statement::from_sql_and_values(DbBackend::Postgres, find, [name.into()]);
        if db.query_one_raw(find).await?.is_none() {
            let created = db
                .execute_unprepared(&format!("create database {name}"))
                .await;
            // Another process may create it between the question and the answer.
            if let Err(error) = created
                && !is_duplicate(&error)
            {
                return Err(error);
            }
        }
    }
    db.close().await
}

/// Holds off other migrating processes until the transaction ends.
async fn lock(
    db: &DatabaseConnection,
) -> Result<sea_orm_migration::sea_orm::DatabaseTransaction, DbErr> {
    let tx = db.begin().await?;
    tx.execute_unprepared("select pg_advisory_xact_lock(7305816420)")
        .await?;
    Ok(tx)
}

/// SQLSTATE 42P04, and 23505 when two processes meet in the catalogue's index.
fn is_duplicate(error: &DbErr) -> bool {
    use sea_orm_migration::sea_orm::{RuntimeErr, SqlxError};
    let (DbErr::Exec(RuntimeErr::SqlxError(source)) | DbErr::Query(RuntimeErr::SqlxError(source))) =
        error
    else {
        return false;
    };
    let SqlxError::Database(refusal) = source.as_ref() else {
        return false;
    };
    matches!(refusal.code().as_deref(), Some("42P04" | "23505"))
}
