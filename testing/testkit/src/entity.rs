//! Holds a `SeaORM` entity to the migrated table that it stands for, so neither can drift from the other.

use std::collections::BTreeMap;

use sea_orm::sea_query::StringLen;
use sea_orm::{
    ColumnTrait, ColumnType, ConnectionTrait as _, DatabaseConnection, EntityTrait, IdenStatic,
    Iterable, PrimaryKeyToColumn, Statement,
};

/// One column as the server has it.
#[derive(Debug)]
struct Column {
    udt_name: String,
    is_nullable: bool,
    has_default: bool,
    is_key: bool,
}

/// Compares the entity's columns with those of its table: names, types, nullability, primary key. A column that the
/// entity leaves out must be one that an insert may leave out too.
///
/// # Panics
/// At the first difference, by its name.
pub async fn assert_entity_matches<E: EntityTrait>(db: &DatabaseConnection, entity: E) {
    let table = entity.table_name().to_owned();
    let mut columns = columns(db, &table).await;
    assert!(!columns.is_empty(), "there is no table {table}");
    let keys: Vec<_> = E::PrimaryKey::iter()
        .map(|key| key.into_column().as_str().to_owned())
        .collect();
    for column in E::Column::iter() {
        let name = column.as_str();
        let found = columns.remove(name);
        let found = found.unwrap_or_else(|| panic!("{table} has no column {name}"));
        let definition = column.def();
        let expected = udt_names(definition.get_column_type());
        assert!(
            expected.contains(&found.udt_name.as_str()),
            "{table}.{name} is {}, the entity says {:?}",
            found.udt_name,
            definition.get_column_type()
        );
        assert_eq!(
            definition.is_null(),
            found.is_nullable,
            "whether {table}.{name} may be null"
        );
        let is_key = keys.iter().any(|key| key == name);
        assert_eq!(is_key, found.is_key, "{table}.{name} in the primary key");
    }
    for (name, left) in columns {
        assert!(
            left.is_nullable || left.has_default,
            "{table}.{name} is in no entity, and an insert needs it"
        );
    }
}

async fn columns(db: &DatabaseConnection, table: &str) -> BTreeMap<String, Column> {
    let query = Statement::from_sql_and_values(
        db.get_database_backend(),
        "SELECT c.column_name, c.udt_name, c.is_nullable = 'YES' AS nullable,
                c.column_default IS NOT NULL AS defaulted,
                EXISTS (SELECT FROM information_schema.key_column_usage k
                        JOIN information_schema.table_constraints t USING (constraint_schema, constraint_name)
                        WHERE t.constraint_type = 'PRIMARY KEY' AND k.table_schema = c.table_schema
                          AND k.table_name = c.table_name AND k.column_name = c.column_name) AS key
         FROM information_schema.columns c
         WHERE c.table_schema = 'public' AND c.table_name = $1",
        [table.into()],
    );
    let rows = db
        .query_all_raw(query)
        .await
        .expect("the catalogue answers");
    let column = |row: sea_orm::QueryResult| {
        let column = Column {
            udt_name: row.try_get("", "udt_name")?,
            is_nullable: row.try_get("", "nullable")?,
            has_default: row.try_get("", "defaulted")?,
            is_key: row.try_get("", "key")?,
        };
        Ok::<_, sea_orm::DbErr>((row.try_get("", "column_name")?, column))
    };
    rows.into_iter()
        .map(|row| column(row).expect("the catalogue's columns"))
        .collect()
}

/// What the server may call a column of this type.
fn udt_names(column: &ColumnType) -> &'static [&'static str] {
    match column {
        ColumnType::SmallInteger => &["int2"],
        ColumnType::Integer => &["int4"],
        ColumnType::BigInteger => &["int8"],
        ColumnType::Boolean => &["bool"],
        ColumnType::Uuid => &["uuid"],
        ColumnType::Json => &["json"],
        ColumnType::JsonBinary => &["jsonb"],
        ColumnType::TimestampWithTimeZone => &["timestamptz"],
        ColumnType::VarBinary(_) | ColumnType::Blob => &["bytea"],
        // A `String` without a length is read from either.
        ColumnType::Text | ColumnType::String(StringLen::None) => &["text", "varchar"],
        other => panic!("say here what the server calls {other:?}"),
    }
}
