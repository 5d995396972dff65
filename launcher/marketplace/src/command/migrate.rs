//! `marketplace migrate` and `marketplace seed`.

use anyhow::Context as _;
use chassis::postgres;
use migrations::DATABASES;

use crate::cli::Direction;
use crate::output;
use crate::settings::Settings;
use crate::up::prepare;

/// Migrates every database up or down, or prints its state.
///
/// # Errors
/// When the server does not answer or refuses a statement.
pub(crate) async fn run(settings: &Settings, direction: Direction) -> anyhow::Result<()> {
    if direction == Direction::Up {
        prepare::migrate_up(settings).await?;
    }
    for (name, database) in DATABASES {
        let db = postgres::connect(&prepare::patient(settings), name).await?;
        if direction == Direction::Down {
            migrations::down(&db, database)
                .await
                .with_context(|| format!("taking {name} down"))?;
        }
        for (migration, applied) in migrations::status(&db, database)
            .await
            .with_context(|| name.to_owned())?
        {
            let state = if applied { "applied" } else { "pending" };
            output::result(&format!("{name:<12} {state:<8} {migration}\n"));
        }
        db.close().await.context("closing a connection")?;
    }
    Ok(())
}
