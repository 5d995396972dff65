//! The databases' schemas: one database a service, one migrator each, plain SQL files up and down.
//!
//! A migration is two files, `migrations/<database>/NNNN_what_changes.{up,down}.sql`, and a line in [`Database::steps`].
//! A database keeps the names of those that it has. The one that makes its service's role is one text for all of them,
//! `service_role.{up,down}.sql`, with the role put in for `{role}`.
//!
//! Each runs in a transaction; an applied one is never edited. A lock on the server lets several processes migrate at
//! the same time: the second finds the work done.
//!
//! A migration that this version does not know was applied by a newer one, and is left alone: a schema first expands and
//! contracts releases later, so the version before works on it.

mod roles;

use async_trait::async_trait;
use sea_orm_migration::prelude::{MigrationName, MigrationTrait, SchemaManager};
use sea_orm_migration::sea_orm::{
    ConnectOptions, ConnectionTrait, Database as Server, DatabaseConnection, DbBackend, DbErr,
    Statement, TransactionTrait,
};
use sea_orm_migration::{MigrationStatus, MigratorTraitSelf};

pub use self::roles::set_passwords;

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
    ($($path:literal,)* role $role:literal $(, $later:literal)* $(,)?) => {
        &[
            $(steps!(@files $path, $path),)*
            steps!(@files $role, "service_role"),
            $(steps!(@files $later, $later),)*
        ]
    };
    (@files $name:expr, $file:expr) => {
        Step {
            name: $name,
            up: include_str!(concat!("../", $file, ".up.sql")),
            down: include_str!(concat!("../", $file, ".down.sql")),
        }
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
                "loms/0004_order_history",
                role "loms/0005_role",
                "loms/0006_outbox_skus",
                "loms/0007_stock_events",
            ],
            Self::Cart => steps![
                "cart/0001_carts",
                "cart/0002_checkouts",
                "cart/0003_named_changes",
                "cart/0004_retention",
                "cart/0005_idempotency_keys",
                "cart/0006_cart_changes_mirrored",
                "cart/0007_cart_changes_copied",
                role "cart/0008_role",
                "cart/0009_checkout_limits",
                "cart/0010_checkout_shortage",
            ],
            Self::Comments => steps![
                "comments/0001_comments",
                "comments/0002_idempotency_keys",
                role "comments/0003_role"
            ],
            Self::Notifier => steps![
                "notifier/0001_inbox",
                "notifier/0002_webhook",
                "notifier/0003_retention",
                role "notifier/0004_role"
            ],
        }
    }
}

/// The migrations of a database, with those that a newer version has applied.
struct Migrator {
    database: Database,
    newer: Vec<String>,
}

impl MigratorTraitSelf for Migrator {
    fn migrations(&self) -> Vec<Box<dyn MigrationTrait>> {
        let steps = self.database.steps().iter();
        let known = steps.map(|step| {
            let role = self.database.role();
            Box::new(Sql { step, role }) as Box<dyn MigrationTrait>
        });
        let newer = self.newer.iter().cloned();
        known
            .chain(newer.map(|name| Box::new(Newer(name)) as Box<dyn MigrationTrait>))
            .collect()
    }
}

impl Migrator {
    /// Only what this version knows.
    const fn of(database: Database) -> Self {
        let newer = Vec::new();
        Self { database, newer }
    }

    /// With what a newer version has applied to `db`.
    async fn over(db: &impl ConnectionTrait, database: Database) -> Result<Self, DbErr> {
        let table = "select 1 where to_regclass('seaql_migrations') is not null";
        let mut newer = Vec::new();
        if db.query_one_raw(statement(table)).await?.is_some() {
            let applied = "select version from seaql_migrations order by version";
            for row in db.query_all_raw(statement(applied)).await? {
                newer.push(row.try_get::<String>("", "version")?);
            }
        }
        newer.retain(|name| database.steps().iter().all(|step| step.name != name));
        Ok(Self { database, newer })
    }
}

fn statement(sql: &str) -> Statement {
    Statement::from_string(DbBackend::Postgres, sql)
}

/// A migration of which only the name is known.
struct Newer(String);

impl MigrationName for Newer {
    fn name(&self) -> &str {
        &self.0
    }
}

#[async_trait]
impl MigrationTrait for Newer {
    async fn up(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        let name = &self.0;
        Err(DbErr::Migration(format!(
            "{name} is of a newer version: only that one can take it back"
        )))
    }
}

/// A step, and the role of the service whose database it changes.
struct Sql {
    step: &'static Step,
    role: &'static str,
}

impl Sql {
    async fn run(&self, manager: &SchemaManager<'_>, text: &str) -> Result<(), DbErr> {
        let text = text.replace("{role}", self.role);
        let db = manager.get_connection();
        db.execute_unprepared(&text).await.map(drop)
    }
}

impl MigrationName for Sql {
    fn name(&self) -> &str {
        self.step.name
    }
}

#[async_trait]
impl MigrationTrait for Sql {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        self.run(manager, self.step.up).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        self.run(manager, self.step.down).await
    }
}

/// Applies what is pending; gives the names of migrations that a newer version has applied, which stay as they are.
///
/// # Errors
/// When a statement fails; its migration is taken back whole.
pub async fn up(db: &DatabaseConnection, database: Database) -> Result<Vec<String>, DbErr> {
    let locked = lock(db).await?;
    let migrator = Migrator::over(db, database).await?;
    migrator.up(db, None).await?;
    locked.commit().await?;
    Ok(migrator.newer)
}

/// Takes every migration back, the newest first; the data goes with them.
///
/// # Errors
/// When a statement fails, and when a newer version has migrated the database.
pub async fn down(db: &DatabaseConnection, database: Database) -> Result<(), DbErr> {
    let locked = lock(db).await?;
    Migrator::of(database).down(db, None).await?;
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
    let migrator = Migrator::over(db, database).await?;
    let migrations = migrator.get_migration_with_status_read_only(db).await?;
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
