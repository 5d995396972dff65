//! `marketplace migrate` and `marketplace seed`.

use anyhow::Context as _;
use chassis::postgres;
use migrations::DATABASES;
use serde::Serialize;

use crate::cli::{Direction, Migrate};
use crate::output;
use crate::settings::Settings;
use crate::up::prepare;
use crate::verify;

/// A migration and whether a database has it.
#[derive(Debug, Serialize)]
struct State {
    database: &'static str,
    migration: String,
    applied: bool,
}

/// Migrates every database up or down, or prints its state.
///
/// # Errors
/// When no server is named and none of `up` runs here, or it does not answer or refuses a statement.
pub(crate) async fn run(mut settings: Settings, flags: &Migrate) -> anyhow::Result<()> {
    settings.postgres.url = verify::address(&settings)?;
    if flags.direction == Direction::Up {
        prepare::migrate_up(&settings).await?;
    }
    let mut states = Vec::new();
    for (name, database) in DATABASES {
        let db = postgres::connect(&prepare::patient(&settings), name).await?;
        if flags.direction == Direction::Down {
            migrations::down(&db, database)
                .await
                .with_context(|| format!("taking {name} down"))?;
        }
        let found = migrations::status(&db, database).await;
        let found = found.with_context(|| name.to_owned())?;
        states.extend(found.into_iter().map(|(migration, applied)| State {
            database: name,
            migration: migration.to_string(),
            applied,
        }));
        db.close().await.context("closing a connection")?;
    }
    if flags.json {
        output::result(&(serde_json::to_string_pretty(&states)? + "\n"));
        return Ok(());
    }
    for State {
        database,
        migration,
        applied,
    } in states
    {
        let state = if applied { "applied" } else { "pending" };
        output::result(&format!("{database:<12} {state:<8} {migration}\n"));
    }
    Ok(())
}

/// Loads the stocks of the catalogue; rows that are there stay.
///
/// # Errors
/// As [`run`].
pub(crate) async fn seed(mut settings: Settings) -> anyhow::Result<()> {
    settings.postgres.url = verify::address(&settings)?;
    prepare::seed(&settings).await
}
