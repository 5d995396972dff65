//! What a database error means. Decisions rest on SQLSTATE and constraint names, never on message text.

use std::{error::Error, sync::Arc};

use schema::code::ErrorCode;
use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr};

use crate::fault::Coded;

/// A database error, sorted once.
#[derive(Debug, thiserror::Error)]
#[error("database")]
pub struct StoreError(#[from] pub DbErr);

impl Coded for StoreError {
    fn code(&self) -> ErrorCode {
        if sqlstate(&self.0).as_deref() == Some("57014") || has_caller_left(&self.0) {
            ErrorCode::DeadlineExceeded
        } else if is_unavailable(&self.0) || is_retryable(&self.0) || is_lock_wait(&self.0) {
            ErrorCode::Unavailable
        } else {
            ErrorCode::Internal
        }
    }
}

/// The five-character SQLSTATE, when the server answered with one.
#[must_use]
pub fn sqlstate(error: &DbErr) -> Option<String> {
    database_error(error)?.code().map(Into::into)
}

/// The constraint that was violated.
#[must_use]
pub fn constraint(error: &DbErr) -> Option<String> {
    database_error(error)?.constraint().map(Into::into)
}

/// Serialisation failure or deadlock: the same transaction may succeed when run again.
#[must_use]
pub fn is_retryable(error: &DbErr) -> bool {
    matches!(sqlstate(error).as_deref(), Some("40001" | "40P01"))
}

/// `lock_not_available`: the wait for a row that another transaction has locked took longer than `lock_timeout`.
#[must_use]
pub fn is_lock_wait(error: &DbErr) -> bool {
    sqlstate(error).as_deref() == Some("55P03")
}

/// The SQLSTATE of a change that was refused because a file of the server could not grow. Reads go on, and the session is as good
/// as before.
pub const DISK_FULL: &str = "53100";

/// Whether it is [`DISK_FULL`].
pub(super) fn is_disk_full(error: &DbErr) -> bool {
    sqlstate(error).as_deref() == Some(DISK_FULL)
}

/// The server is out of reach, shutting down, has no connection left, or serves no writes: a standby that was not promoted,
/// a primary that was demoted.
#[must_use]
pub fn is_unavailable(error: &DbErr) -> bool {
    if let Some(state) = sqlstate(error) {
        return is_other_server_wanted(&state) || is_without_means(&state);
    }
    is_broken(error) || is_refused_by_pool(error)
}

/// Whether the connection, and those that were opened with it, should not be used again: it is broken, or its server goes or
/// serves no writes. One that merely lacks means stays, since a new connection would lack them too.
pub(super) fn is_left_behind(error: &DbErr) -> bool {
    sqlstate(error).map_or_else(|| is_broken(error), |it| is_other_server_wanted(&it))
}

/// Connection exceptions, read-only transactions, sessions that the server ended, and its shutdown.
fn is_other_server_wanted(state: &str) -> bool {
    state.starts_with("08") || state.starts_with("57P") || is_read_only(state) || is_ended(state)
}

fn is_read_only(state: &str) -> bool {
    state == "25006"
}

/// The session stood still in a transaction, or the transaction took too long: nothing of it happened.
fn is_ended(state: &str) -> bool {
    matches!(state, "25P03" | "25P04")
}

/// Insufficient resources, and a database that is not in a state to serve (`object_not_in_prerequisite_state`).
fn is_without_means(state: &str) -> bool {
    state.starts_with("53") || state == "55000"
}

/// The connection gave no answer of the server's.
fn is_broken(error: &DbErr) -> bool {
    use sqlx::Error::{Io, Protocol, Tls, WorkerCrashed};
    let broken = sqlx_error(error).filter(|_| !has_caller_left(error));
    broken.is_some_and(|it| matches!(it, Io(_) | Tls(_) | WorkerCrashed | Protocol(_)))
}

/// There was no connection: all are taken, none can be opened, or the process stops.
fn is_refused_by_pool(error: &DbErr) -> bool {
    use sqlx::Error::{PoolClosed, PoolTimedOut};
    let refused = sqlx_error(error);
    matches!(
        error,
        DbErr::ConnectionAcquire(ConnAcquireErr::Timeout | ConnAcquireErr::ConnectionClosed)
    ) || refused.is_some_and(|it| matches!(it, PoolTimedOut | PoolClosed))
}

/// The caller's time was over before anything was decided.
#[derive(Debug, thiserror::Error)]
#[error("the caller has left; nothing was changed")]
struct CallerLeft;

/// An error of our own about a caller who does not wait any more.
pub(super) fn caller_left() -> DbErr {
    let error = std::io::Error::new(std::io::ErrorKind::TimedOut, CallerLeft);
    DbErr::Conn(RuntimeErr::SqlxError(Arc::new(sqlx::Error::Io(error))))
}

/// Whether the caller left first: that is not the server's doing.
fn has_caller_left(error: &DbErr) -> bool {
    let Some(sqlx::Error::Io(error)) = sqlx_error(error) else {
        return false;
    };
    error.get_ref().is_some_and(|it| it.is::<CallerLeft>())
}

/// An error of our own about a server that does not answer.
pub(super) fn no_answer(kind: std::io::ErrorKind, why: impl Into<String>) -> DbErr {
    let error = sqlx::Error::Io(std::io::Error::new(kind, why.into()));
    DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error)))
}

/// The database's error in the chain of `error`, itself among it.
pub(super) fn database_fault<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a DbErr> {
    let mut link = Some(error);
    while let Some(error) = link {
        if let Some(fault) = error.downcast_ref::<DbErr>() {
            return Some(fault);
        }
        link = error.source();
    }
    None
}

fn database_error(error: &DbErr) -> Option<&dyn sqlx::error::DatabaseError> {
    sqlx_error(error)?.as_database_error()
}

fn sqlx_error(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(inner))
        | DbErr::Exec(RuntimeErr::SqlxError(inner))
        | DbErr::Query(RuntimeErr::SqlxError(inner)) => Some(inner),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::{borrow::Cow, fmt};

    use super::*;

    /// What a server answers, by its SQLSTATE alone.
    #[derive(Debug)]
    struct Answer(&'static str);

    impl fmt::Display for Answer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Answer {}

    impl sqlx::error::DatabaseError for Answer {
        fn message(&self) -> &str {
            self.0
        }

        fn code(&self) -> Option<Cow<'_, str>> {
            Some(self.0.into())
        }

        fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn Error + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> sqlx::error::ErrorKind {
            sqlx::error::ErrorKind::Other
        }
    }

    fn answer(state: &'static str) -> DbErr {
        let error = sqlx::Error::Database(Box::new(Answer(state)));
        DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))
    }

    /// Source of the states: Appendix A of Postgres's manual.
    #[test]
    fn a_state_has_one_meaning() {
        use ErrorCode::{DeadlineExceeded, Internal, Unavailable};
        for (state, code, is_left) in [
            ("08006", Unavailable, true),
            ("25006", Unavailable, true),
            ("25P03", Unavailable, true),
            ("25P04", Unavailable, true),
            ("40001", Unavailable, false),
            ("40P01", Unavailable, false),
            ("53100", Unavailable, false),
            ("53300", Unavailable, false),
            ("55000", Unavailable, false),
            ("55P03", Unavailable, false),
            ("57014", DeadlineExceeded, false),
            ("57P01", Unavailable, true),
            ("57P02", Unavailable, true),
            ("57P03", Unavailable, true),
            ("23505", Internal, false),
            ("42P01", Internal, false),
        ] {
            let error = answer(state);
            assert_eq!(is_left_behind(&error), is_left, "{state}");
            assert_eq!(StoreError(error).code(), code, "{state}");
        }
    }

    #[test]
    fn a_caller_who_left_says_nothing_about_the_server() {
        let left = caller_left();
        assert!(!is_left_behind(&left) && !is_unavailable(&left));
        assert_eq!(StoreError(left).code(), ErrorCode::DeadlineExceeded);
    }

    #[test]
    fn no_answer_at_all_is_unavailable_wherever_it_hides() {
        let error = StoreError(no_answer(std::io::ErrorKind::TimedOut, "nobody answers"));
        assert_eq!(error.code(), ErrorCode::Unavailable);
        let found = database_fault(&error).unwrap();
        assert!(is_left_behind(found));
    }
}
