//! What a statement takes: Rust types and the Postgres types that they travel as.

use chrono::{DateTime, Utc};
use sea_orm::Value;
use uuid::Uuid;

/// A type that can be a statement's parameter.
pub trait Parameter: Into<Value> {
    /// The Postgres type's name, as `pg_typeof` and the driver print it.
    const TYPE: &'static str;
}

/// The parameters of a statement, as a tuple.
pub trait Parameters {
    /// The Postgres types of `$1`, `$2`, …
    fn types() -> Vec<&'static str>;

    /// The values of `$1`, `$2`, …
    fn into_values(self) -> Vec<Value>;
}

macro_rules! parameter {
    ($($rust:ty => $postgres:literal),* $(,)?) => {
        $(impl Parameter for $rust {
            const TYPE: &'static str = $postgres;
        })*
    };
}

parameter! {
    bool => "BOOL",
    i16 => "INT2",
    i32 => "INT4",
    i64 => "INT8",
    String => "TEXT",
    &str => "TEXT",
    DateTime<Utc> => "TIMESTAMPTZ",
    Uuid => "UUID",
    serde_json::Value => "JSONB",
    Vec<u8> => "BYTEA",
    Option<bool> => "BOOL",
    Option<i16> => "INT2",
    Option<i32> => "INT4",
    Option<i64> => "INT8",
    Option<String> => "TEXT",
    Option<&str> => "TEXT",
    Option<DateTime<Utc>> => "TIMESTAMPTZ",
    Option<Uuid> => "UUID",
    Option<serde_json::Value> => "JSONB",
    Vec<i16> => "INT2[]",
    Vec<i32> => "INT4[]",
    Vec<i64> => "INT8[]",
    Vec<String> => "TEXT[]",
    Vec<DateTime<Utc>> => "TIMESTAMPTZ[]",
    Vec<Uuid> => "UUID[]",
}

macro_rules! parameters {
    ($($name:ident),*) => {
        impl<$($name: Parameter),*> Parameters for ($($name,)*) {
            fn types() -> Vec<&'static str> {
                vec![$($name::TYPE),*]
            }

            #[expect(non_snake_case, reason = "the macro has one name for a type and its value")]
            fn into_values(self) -> Vec<Value> {
                let ($($name,)*) = self;
                vec![$($name.into()),*]
            }
        }
    };
}

impl Parameters for () {
    fn types() -> Vec<&'static str> {
        Vec::new()
    }

    fn into_values(self) -> Vec<Value> {
        Vec::new()
    }
}

parameters!(A);
parameters!(A, B);
parameters!(A, B, C);
parameters!(A, B, C, D);
parameters!(A, B, C, D, E);
parameters!(A, B, C, D, E, F);
parameters!(A, B, C, D, E, F, G);
parameters!(A, B, C, D, E, F, G, H);
parameters!(A, B, C, D, E, F, G, H, I);
parameters!(A, B, C, D, E, F, G, H, I, J);
