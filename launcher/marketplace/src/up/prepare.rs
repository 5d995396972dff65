//! Databases, their schema, the stocks of the catalogue, the topic: everything that must be there before a service.

use std::time::Duration;

use anyhow::Context as _;
use chassis::{kafka, postgres};
use migrations::DATABASES;
use schema::event::STOCK_TOPIC;

use crate::output;
use crate::settings::Settings;

/// Creates what is missing; what is there stays as it is. A mock broker has made its topic already.
///
/// # Errors
/// When a store refuses; the message names the database or the topic.
pub(crate) async fn databases_and_topic(
    settings: &Settings,
    topic_exists: bool,
) -> anyhow::Result<()> {
    let topic = async {
        if topic_exists {
            return Ok(());
        }
        for config in [&settings.kafka, &settings.kafka.beside(STOCK_TOPIC)] {
            kafka::ensure_topic(config)
                .await
                .with_context(|| format!("the topic {}", config.topic))?;
        }
        Ok(())
    };
    let databases = async {
        output::progress("postgres", "migrating");
        migrate_up(settings).await?;
        seed(settings).await
    };
    tokio::try_join!(topic, databases)?;
    Ok(())
}

/// How long a connection, or one step of a migration, may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How whoever migrates connects. The lock that keeps others off is a transaction that stands idle while the steps run, so it
/// must outlive them.
pub(crate) fn patient(settings: &Settings) -> postgres::Config {
    // No request waits here, and a machine that has just started everything else is slow: at a load of 30 on two cores
    // a request's patience of 3 s let one start in ten fail.
    let given = settings.postgres.clone();
    postgres::Config {
        acquire_timeout: given.acquire_timeout.max(PATIENCE),
        statement_timeout: given.statement_timeout.max(PATIENCE),
        lock_timeout: given.lock_timeout.max(PATIENCE),
        idle_in_transaction_timeout: given.idle_in_transaction_timeout.max(10 * PATIENCE),
        ..given
    }
}

/// Creates missing databases and applies what is pending.
///
/// # Errors
/// When the server refuses.
pub(crate) async fn migrate_up(settings: &Settings) -> anyhow::Result<()> {
    // With a database that is there: without one, the user's name would be taken for it.
    let server = postgres::primary_url(&settings.postgres)
        .await
        .context("finding the Postgres that takes writes")?;
    migrations::create_databases(server.expose())
        .await
        .context("creating databases")?;
    let patient = &patient(settings);
    let each = DATABASES.map(|(name, database)| async move {
        let db = postgres::connect(patient, name).await?;
        let newer = migrations::up(&db, database)
            .await
            .with_context(|| format!("migrating {name}"))?;
        if !newer.is_empty() {
            let newer = newer.join(", ");
            tracing::warn!(database = name, %newer, "a newer version has migrated the database; its migrations stay");
        }
        db.close().await.context("closing a connection")
    });
    futures::future::try_join_all(each).await?;
    let passwords = settings.database_roles.passwords();
    migrations::set_passwords(server.expose(), &passwords)
        .await
        .context("setting the passwords of the services' roles")
}

/// Loads the stocks of the catalogue; rows that are there stay.
///
/// # Errors
/// When the server refuses.
pub(crate) async fn seed(settings: &Settings) -> anyhow::Result<()> {
    let db = postgres::connect(&settings.postgres, "loms").await?;
    loms::seed(&db).await.context("seeding the stocks")?;
    db.close().await.context("closing a connection")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A start on a slow machine failed with the two seconds that a request's transaction has.
    #[test]
    fn the_lock_of_a_migration_outlives_its_steps() {
        let patient = patient(&Settings::default());
        assert!(patient.idle_in_transaction_timeout > patient.statement_timeout);
    }
}
