//! The one place that bounds how long the process waits for Postgres.
//!
//! The server bounds a statement (`statement_timeout`) as long as it can answer. A connection whose other end is gone, or
//! stands still behind something that keeps it open, answers nothing, and no time-out of the server's helps there.

use std::{error::Error, io::ErrorKind, pin::pin};

use sea_orm::{DatabaseConnection, DbErr};
use tokio::time::timeout;

use super::{
    error::{caller_left, database_fault, is_disk_full, is_left_behind, is_unavailable, no_answer},
    link::Link,
};
use crate::deadline;

/// Runs `work`, a whole transaction or a read on `db`, for at most `postgres.statement_timeout` and a second. What has no
/// answer by then is given up, and so is each connection of the pool that was open: the next one is a new one.
///
/// While the server is known to be away (see [`super::Probe`]), it fails at once. For a caller who has left nothing is begun,
/// and what has not [decided](deadline::decide) is given up when the caller leaves: a transaction is rolled back then.
///
/// # Errors
/// Those of `work`; one with the code DEADLINE_EXCEEDED when the caller left first; an error with the code UNAVAILABLE when there was no answer, and then a commit may have happened.
///
/// # Cancel safety
/// As `work`.
pub async fn within<T, E>(
    db: &DatabaseConnection,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E>
where
    E: From<DbErr> + Error + 'static,
{
    // By reference, since a future that is passed on by value is kept twice.
    let work = pin!(work);
    tokio::select! {
        biased;
        () = deadline::passed() => Err(caller_left().into()),
        done = bounded(db, work) => done,
    }
}

async fn bounded<T, E>(
    db: &DatabaseConnection,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E>
where
    E: From<DbErr> + Error + 'static,
{
    let Some(link) = Link::of(db) else {
        return work.await;
    };
    if link.is_away() {
        let why = "the database is away, as its probe knows";
        return Err(no_answer(ErrorKind::NotConnected, why).into());
    }
    let mut work = pin!(work);
    let Ok(result) = timeout(link.limit(), &mut work).await else {
        // Before `work` is dropped, so that its connection is not taken back.
        link.renew();
        let why = format!("no answer within {:?}", link.limit());
        return Err(no_answer(ErrorKind::TimedOut, why).into());
    };
    match result
        .as_ref()
        .err()
        .and_then(|error| database_fault(error))
    {
        Some(fault) if is_left_behind(fault) => link.renew(),
        Some(fault) if is_disk_full(fault) => link.lack_room(),
        Some(fault) if is_unavailable(fault) => link.suspect(),
        _ => {}
    }
    result
}
