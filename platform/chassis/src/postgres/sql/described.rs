//! Statements and tables as data, for the test that holds them against a migrated database.

use std::any::type_name;

use sea_orm::EntityTrait;

use super::{Column, Parameters, Row, Sql, row::columns_of};

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

/// What the code takes a table to be: an entity, by its table's name and its columns.
#[derive(Debug, Clone)]
pub struct Table {
    /// The entity's Rust path, for errors.
    pub entity: &'static str,
    /// The table's name.
    pub name: String,
    /// The columns that the code knows.
    pub columns: Vec<Column>,
}

impl Table {
    /// The table of an entity.
    #[must_use]
    pub fn of<E: EntityTrait>() -> Self {
        Self {
            entity: type_name::<E>(),
            name: E::default().table_name().to_owned(),
            columns: columns_of::<E>(),
        }
    }
}
