//! What a statement gives: rows whose columns are known by name and type.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait as _, EntityTrait, IdenStatic as _, Iterable as _, ModelTrait,
    sea_query::ColumnType as Type,
};
use uuid::Uuid;

/// A column of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name in the statement's result.
    pub name: String,
    /// Its Postgres type, as the driver prints it.
    pub postgres: &'static str,
    /// Whether the code reads a null there.
    pub nullable: bool,
}

/// The row of a statement. [`row!`](crate::row) writes one; the model of an entity is one.
pub trait Row {
    /// Its columns; a statement may give them in any order, but no other ones.
    fn columns() -> Vec<Column>;
}

/// A statement that gives no rows.
#[derive(Debug, Clone, Copy)]
pub struct NoRows;

impl Row for NoRows {
    fn columns() -> Vec<Column> {
        Vec::new()
    }
}

impl<M: ModelTrait> Row for M {
    fn columns() -> Vec<Column> {
        let column = |column: <M::Entity as EntityTrait>::Column| {
            let definition = column.def();
            Column {
                name: column.as_str().to_owned(),
                postgres: postgres_type(definition.get_column_type()),
                nullable: definition.is_null(),
            }
        };
        <M::Entity as EntityTrait>::Column::iter()
            .map(column)
            .collect()
    }
}

fn postgres_type(column: &Type) -> &'static str {
    match column {
        Type::Boolean => "BOOL",
        Type::SmallInteger => "INT2",
        Type::Integer => "INT4",
        Type::BigInteger => "INT8",
        Type::Text | Type::String(_) => "TEXT",
        Type::TimestampWithTimeZone => "TIMESTAMPTZ",
        Type::Uuid => "UUID",
        Type::Json | Type::JsonBinary => "JSONB",
        Type::VarBinary(_) | Type::Blob => "BYTEA",
        _ => "a type that no table of ours has",
    }
}

/// A Rust type that a column can be read as.
pub trait ColumnType {
    /// The Postgres type, as the driver prints it.
    const POSTGRES: &'static str;
    /// Whether it can hold a null.
    const NULLABLE: bool = false;
}

macro_rules! column_type {
    ($($rust:ty => $postgres:literal),* $(,)?) => {
        $(impl ColumnType for $rust {
            const POSTGRES: &'static str = $postgres;
        })*
    };
}

column_type! {
    bool => "BOOL",
    i16 => "INT2",
    i32 => "INT4",
    i64 => "INT8",
    f64 => "FLOAT8",
    String => "TEXT",
    DateTime<Utc> => "TIMESTAMPTZ",
    Uuid => "UUID",
    serde_json::Value => "JSONB",
    Vec<u8> => "BYTEA",
    Vec<String> => "TEXT[]",
}

impl<T: ColumnType> ColumnType for Option<T> {
    const POSTGRES: &'static str = T::POSTGRES;
    const NULLABLE: bool = true;
}

/// Declares the row of a statement: a struct whose fields have the names and types of the result's columns.
#[macro_export]
macro_rules! row {
    ($(#[$meta:meta])* $visibility:vis struct $name:ident {
        $($(#[$field_meta:meta])* $field_visibility:vis $field:ident: $type:ty),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, sea_orm::FromQueryResult)]
        $visibility struct $name {
            $($(#[$field_meta])* $field_visibility $field: $type),*
        }

        impl $crate::postgres::sql::Row for $name {
            fn columns() -> Vec<$crate::postgres::sql::Column> {
                vec![$($crate::postgres::sql::Column {
                    name: stringify!($field).to_owned(),
                    postgres: <$type as $crate::postgres::sql::ColumnType>::POSTGRES,
                    nullable: <$type as $crate::postgres::sql::ColumnType>::NULLABLE,
                }),*]
            }
        }
    };
}
