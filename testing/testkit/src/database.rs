//! A database for each test, copied from a migrated template.
//!
//! The template is made once in each test process, so it always has the migrations that the process was built with.
//! A copy takes some tens of milliseconds; it is dropped in the background when the test ends.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::sync::mpsc::{Sender, channel};

use chassis::config::Secret;
use chassis::postgres::{self, Config};
use migrations::Database;
use sea_orm::{ConnectionTrait as _, DatabaseConnection};
use tokio::sync::Mutex;
use url::Url;
use uuid::Uuid;

use crate::services::postgres_url;

/// A migrated database that belongs to one test.
#[derive(Debug)]
pub struct TestDatabase {
    /// A pool for it.
    pub db: DatabaseConnection,
    /// Its URL, with the password.
    pub url: String,
    /// Its name on the server.
    pub name: String,
}

impl TestDatabase {
    /// Settings for `chassis::postgres::connect`, which takes the database's name beside them.
    #[must_use]
    pub fn config(&self) -> Config {
        Config {
            url: Secret::new(self.url.clone()),
            ..Config::default()
        }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // Best effort: the server goes with the run, and what is left costs only space.
        if DROPS.send(self.name.clone()).is_err() {
            tracing::debug!(database = %self.name, "left behind");
        }
    }
}

/// A new database with all migrations of `database`.
///
/// # Panics
/// When the server refuses.
pub async fn database(database: Database) -> TestDatabase {
    let server = postgres_url().await;
    let template = template(server, database).await;
    let name = format!("test_{}", Uuid::new_v4().simple());
    execute(
        server,
        &format!(r#"CREATE DATABASE "{name}" TEMPLATE "{template}""#),
    )
    .await;
    let url = with_database(server, &name);
    let config = Config {
        url: Secret::new(url.clone()),
        max_connections: 8,
        // A test may hold a lock for longer than a service does.
        idle_in_transaction_timeout: std::time::Duration::from_secs(60),
        ..Config::default()
    };
    let db = postgres::connect(&config, &name)
        .await
        .expect("the URL of a server that answered");
    TestDatabase { db, url, name }
}

async fn template(server: &str, database: Database) -> String {
    static TEMPLATES: LazyLock<Mutex<BTreeMap<String, String>>> = LazyLock::new(Mutex::default);
    let mut templates = TEMPLATES.lock().await;
    let key = format!("{database:?}").to_lowercase();
    if let Some(name) = templates.get(&key) {
        return name.clone();
    }
    let name = format!("template_{key}_{}", Uuid::new_v4().simple());
    execute(server, &format!(r#"CREATE DATABASE "{name}""#)).await;
    let config = Config {
        url: Secret::new(server.to_owned()),
        ..Config::default()
    };
    let db = postgres::connect(&config, &name)
        .await
        .expect("the URL of a server that answered");
    migrations::up(&db, database)
        .await
        .expect("the migrations apply to an empty database");
    // A template with a connection cannot be copied.
    db.close().await.expect("a connection closes");
    templates.insert(key, name.clone());
    name
}

/// Runs one statement on the server's maintenance database, over a connection of its own.
async fn execute(server: &str, statement: &str) {
    let db = sea_orm::Database::connect(server)
        .await
        .expect("the test server answers");
    db.execute_unprepared(statement)
        .await
        .unwrap_or_else(|error| panic!("{statement}: {error}"));
    db.close().await.expect("a connection closes");
}

fn with_database(server: &str, name: &str) -> String {
    let mut url = Url::parse(server).expect("the test server's URL");
    url.set_path(name);
    url.to_string()
}

/// Names of databases to drop, for a thread with a runtime of its own: a test's runtime ends with the test.
static DROPS: LazyLock<Sender<String>> = LazyLock::new(|| {
    let (sender, names) = channel::<String>();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.expect("a runtime for one thread");
        for name in names {
            runtime.block_on(async {
                let Ok(db) = sea_orm::Database::connect(postgres_url().await).await else {
                    return;
                };
                let statement = format!(r#"DROP DATABASE IF EXISTS "{name}" WITH (FORCE)"#);
                if let Err(error) = db.execute_unprepared(&statement).await {
                    tracing::debug!(%error, database = %name, "left behind");
                }
            });
        }
    });
    sender
});
