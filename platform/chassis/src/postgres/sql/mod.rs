//! Statements that the query builder cannot say: a named `.sql` file, with the types that it takes and gives.
//!
//! Invariant: a [`Sql`] is the only way to a raw statement, so that one test can prepare all of them against a migrated
//! database and compare what Postgres infers with what the code passes and reads. Start reading at [`Sql`].

mod described;
mod parameters;
mod row;

use std::marker::PhantomData;

use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Statement};

pub use self::{
    described::Described,
    parameters::{Parameter, Parameters},
    row::{Column, ColumnType, NoRows, Row},
};

/// A statement: its text, the tuple `P` of its parameters in the order of `$1`, `$2`, …, and the row `R` that it gives.
#[derive(Debug)]
pub struct Sql<P, R = NoRows> {
    name: &'static str,
    text: &'static str,
    types: PhantomData<fn(P) -> R>,
}

/// The statement in the file of that path, which is relative to the file that names it.
#[macro_export]
macro_rules! sql {
    ($path:literal) => {
        $crate::postgres::sql::Sql::new(concat!(module_path!(), ": ", $path), include_str!($path))
    };
}

impl<P: Parameters, R> Sql<P, R> {
    /// A statement by its name, for errors and tests, and its text. Write [`sql!`](crate::sql), which gives both.
    #[must_use]
    pub const fn new(name: &'static str, text: &'static str) -> Self {
        Self {
            name,
            text,
            types: PhantomData,
        }
    }

    /// The text, for a connection that is not SeaORM's.
    #[must_use]
    pub const fn text(&self) -> &'static str {
        self.text
    }

    fn with(&self, parameters: P) -> Statement {
        Statement::from_sql_and_values(DbBackend::Postgres, self.text, parameters.into_values())
    }

    /// Runs it and says how many rows it changed.
    ///
    /// # Errors
    /// Whatever the database answers.
    pub async fn execute(&self, db: &impl ConnectionTrait, parameters: P) -> Result<u64, DbErr> {
        let done = db.execute_raw(self.with(parameters)).await?;
        Ok(done.rows_affected())
    }
}

impl<P: Parameters, R: Row + FromQueryResult> Sql<P, R> {
    /// Every row.
    ///
    /// # Errors
    /// Whatever the database answers, and a row whose column has another type.
    pub async fn all(&self, db: &impl ConnectionTrait, parameters: P) -> Result<Vec<R>, DbErr> {
        let rows = db.query_all_raw(self.with(parameters)).await?;
        rows.iter()
            .map(|row| R::from_query_result(row, ""))
            .collect()
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// Whatever the database answers, and a row whose column has another type.
    pub async fn one(&self, db: &impl ConnectionTrait, parameters: P) -> Result<Option<R>, DbErr> {
        let row = db.query_one_raw(self.with(parameters)).await?;
        row.map(|row| R::from_query_result(&row, "")).transpose()
    }
}
