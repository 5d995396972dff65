//! Statements as data, for the test that holds them against a migrated database.

use super::{Column, Parameters, Row, Sql};

/// What the code takes a statement to be.
pub trait Described: Sync {
    /// The module and the file.
    fn name(&self) -> &'static str;

    /// The text.
    fn text(&self) -> &'static str;

    /// The Postgres types of its parameters.
    fn parameters(&self) -> Vec<&'static str>;

    /// The columns of its rows; none where the code reads none.
    fn columns(&self) -> Vec<Column>;
}

impl<P: Parameters, R: Row> Described for Sql<P, R> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn text(&self) -> &'static str {
        self.text
    }

    fn parameters(&self) -> Vec<&'static str> {
        P::types()
    }

    fn columns(&self) -> Vec<Column> {
        R::columns()
    }
}
