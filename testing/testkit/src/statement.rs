//! Holds a named statement to a migrated database, so that neither its parameters nor its rows can drift from the schema.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail, ensure};
use chassis::postgres::sql::Described;
use sea_orm::DatabaseConnection;
use sqlx::{
    AssertSqlSafe, Column as _, Either, Executor as _, SqlSafeStr as _, Statement as _,
    TypeInfo as _,
    postgres::{PgColumn, PgConnection, PgStatement},
};

/// Prepares the statement and compares what Postgres infers with what the code passes and reads: the types of the
/// parameters, the columns by name and type, and that no column that may be null is read as one that may not.
///
/// # Errors
/// The first difference, by the statement's name.
pub async fn check_statement(
    db: &DatabaseConnection,
    statement: &dyn Described,
) -> anyhow::Result<()> {
    let pool = db.get_postgres_connection_pool();
    let mut connection = pool.acquire().await?;
    check(&mut connection, statement)
        .await
        .with_context(|| statement.name())
}

async fn check(connection: &mut PgConnection, statement: &dyn Described) -> anyhow::Result<()> {
    let text = AssertSqlSafe(statement.text()).into_sql_str();
    let prepared = connection.prepare(text).await?;
    let inferred = parameters(&prepared)?;
    ensure!(
        inferred == statement.parameters(),
        "Postgres takes parameters {inferred:?}, the code passes {:?}",
        statement.parameters()
    );
    check_columns(connection, &prepared, statement).await
}

fn parameters(prepared: &PgStatement) -> anyhow::Result<Vec<&str>> {
    match prepared.parameters() {
        Some(Either::Left(types)) => Ok(types.iter().map(|it| it.name()).collect()),
        Some(Either::Right(0)) | None => Ok(Vec::new()),
        Some(Either::Right(count)) => bail!("{count} parameters without types"),
    }
}

async fn check_columns(
    connection: &mut PgConnection,
    prepared: &PgStatement,
    statement: &dyn Described,
) -> anyhow::Result<()> {
    let mut given: BTreeMap<&str, &PgColumn> = BTreeMap::new();
    for column in prepared.columns() {
        let twice = given.insert(column.name(), column);
        ensure!(twice.is_none(), "two columns are named {}", column.name());
    }
    for read in statement.columns() {
        let Some(column) = given.remove(read.name.as_str()) else {
            bail!("it gives no column {}", read.name);
        };
        let postgres = column.type_info().name();
        ensure!(
            postgres == read.postgres,
            "column {} is {postgres}, the code reads {}",
            read.name,
            read.postgres
        );
        ensure!(
            read.nullable || !may_be_null(connection, column).await?,
            "column {} may be null in its table, the code reads no null",
            read.name
        );
    }
    let left: Vec<_> = given.into_keys().collect();
    ensure!(left.is_empty(), "nobody reads its columns {left:?}");
    Ok(())
}

/// Whether the column is a table's, and that table lets it be null.
async fn may_be_null(connection: &mut PgConnection, column: &PgColumn) -> anyhow::Result<bool> {
    let (Some(table), Some(number)) = (column.relation_id(), column.relation_attribute_no()) else {
        return Ok(false);
    };
    let sql = "select not attnotnull from pg_attribute where attrelid = $1 and attnum = $2";
    let nullable = sqlx::query_scalar(sql).bind(table).bind(number);
    Ok(nullable.fetch_one(connection).await?)
}
