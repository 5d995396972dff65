//! Statements on one shard's table. Invariant: a row becomes a [`Comment`] here or the read fails.

use chassis::postgres::StoreError;
use chrono::{DateTime, Utc};
use idempotency::Key;
use schema::id::{CommentId, Sku, UserId};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, ConnectionTrait, DatabaseConnection,
    DatabaseTransaction, DbBackend, DbErr, EntityTrait as _, FromQueryResult, IntoActiveModel as _,
    QueryFilter as _, QuerySelect as _, Statement,
};

use super::{Comment, PageRequest, Place, Text};
use crate::{
    entity::comment::{Column, Entity, Model},
    shard::ShardIndex,
};

/// Inserts a comment under the shard's next id.
pub(super) async fn insert(
    tx: &DatabaseTransaction,
    shard: ShardIndex,
    author: UserId,
    sku: Sku,
    text: &Text,
    created_at: DateTime<Utc>,
) -> Result<Comment, StoreError> {
    let values = [
        i64::from(shard.get()).into(),
        author.get().into(),
        sku.get().into(),
        text.as_str().into(),
        created_at.into(),
    ];
    let rows = select(tx, include_str!("insert.sql"), values).await?;
    rows.into_iter()
        .next()
        .ok_or_else(|| StoreError::from(DbErr::RecordNotInserted))
}

/// Reads a comment and locks its row until the transaction ends.
pub(super) async fn lock(
    tx: &DatabaseTransaction,
    id: CommentId,
) -> Result<Option<Comment>, StoreError> {
    let row = Entity::find_by_id(id.get())
        .lock_exclusive()
        .one(tx)
        .await?;
    row.map(comment).transpose()
}

/// Replaces the text of a locked comment.
pub(super) async fn set_text(
    tx: &DatabaseTransaction,
    locked: Comment,
    text: &Text,
    edited_at: DateTime<Utc>,
) -> Result<Comment, StoreError> {
    let row = Model {
        id: locked.id.get(),
        author_id: locked.author.get(),
        sku: locked.sku.get(),
        text: locked.text.as_str().to_owned(),
        created_at: locked.created_at,
        edited_at: None,
    };
    let mut change = row.into_active_model();
    change.text = Set(text.as_str().to_owned());
    change.edited_at = Set(Some(edited_at));
    comment(change.update(tx).await?)
}

/// Reads those of the comments that exist.
pub(super) async fn find_many(
    db: &DatabaseConnection,
    ids: &[CommentId],
) -> Result<Vec<Comment>, StoreError> {
    let ids = ids.iter().map(|id| id.get());
    let rows = Entity::find().filter(Column::Id.is_in(ids)).all(db).await?;
    rows.into_iter().map(comment).collect()
}

/// One page and one row more for each of the products, in the order of lists.
pub(super) async fn list_by_skus(
    db: &DatabaseConnection,
    skus: &[Sku],
    page: &PageRequest,
) -> Result<Vec<Comment>, StoreError> {
    list(
        db,
        include_str!("list_by_sku.sql"),
        skus.iter().map(|sku| sku.get()).collect(),
        page,
    )
    .await
}

/// One page and one row more for each of the authors, in the order of lists.
pub(super) async fn list_by_authors(
    db: &DatabaseConnection,
    authors: &[UserId],
    page: &PageRequest,
) -> Result<Vec<Comment>, StoreError> {
    list(
        db,
        include_str!("list_by_author.sql"),
        authors.iter().map(|author| author.get()).collect(),
        page,
    )
    .await
}

/// How many comments each of the products has here; a product without any is left out.
pub(super) async fn count_by_skus(
    db: &DatabaseConnection,
    skus: &[Sku],
) -> Result<Vec<(Sku, u64)>, StoreError> {
    let sql =
        "SELECT sku AS owner, count(*) AS total FROM comments WHERE sku = ANY($1) GROUP BY sku";
    count(db, sql, skus.iter().map(|sku| sku.get()).collect()).await
}

/// How many comments each of the authors has here; an author without any is left out.
pub(super) async fn count_by_authors(
    db: &DatabaseConnection,
    authors: &[UserId],
) -> Result<Vec<(UserId, u64)>, StoreError> {
    let sql = "SELECT author_id AS owner, count(*) AS total FROM comments WHERE author_id = ANY($1) GROUP BY author_id";
    count(db, sql, authors.iter().map(|author| author.get()).collect()).await
}

/// Whether the user named an earlier change on this shard with the key.
pub(super) async fn is_key_taken(
    db: &DatabaseConnection,
    user: UserId,
    operation: &'static str,
    key: &Key,
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 AS taken FROM idempotency_keys WHERE user_id = $1 AND operation = $2 AND key = $3";
    let values = [user.get().into(), operation.into(), key.as_str().into()];
    let found = db
        .query_one_raw(Statement::from_sql_and_values(
            DbBackend::Postgres,
            sql,
            values,
        ))
        .await?;
    Ok(found.is_some())
}

async fn list(
    db: &DatabaseConnection,
    sql: &'static str,
    owners: Vec<i64>,
    page: &PageRequest,
) -> Result<Vec<Comment>, StoreError> {
    let place = page.after.map(Place::parts);
    let values = [
        owners.into(),
        (i64::from(page.first) + 1).into(),
        place.map(|(created_at, _, _)| created_at).into(),
        place.map(|(_, author, _)| author.get()).into(),
        place.map(|(_, _, id)| id.get()).into(),
    ];
    select(db, sql, values).await
}

async fn select<const N: usize>(
    db: &impl ConnectionTrait,
    sql: &'static str,
    values: [sea_orm::Value; N],
) -> Result<Vec<Comment>, StoreError> {
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
    let rows = Model::find_by_statement(statement).all(db).await?;
    rows.into_iter().map(comment).collect()
}

#[derive(FromQueryResult)]
struct Total {
    owner: i64,
    total: i64,
}

async fn count<K: TryFrom<i64>>(
    db: &DatabaseConnection,
    sql: &'static str,
    owners: Vec<i64>,
) -> Result<Vec<(K, u64)>, StoreError> {
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, [owners.into()]);
    let rows = Total::find_by_statement(statement).all(db).await?;
    let total = |row: Total| Some((K::try_from(row.owner).ok()?, u64::try_from(row.total).ok()?));
    rows.into_iter()
        .map(|row| total(row).ok_or_else(|| illegal("owner or total")))
        .collect()
}

fn comment(row: Model) -> Result<Comment, StoreError> {
    Ok(Comment {
        id: row.id.try_into().map_err(|_| illegal("id"))?,
        author: row.author_id.try_into().map_err(|_| illegal("author_id"))?,
        sku: row.sku.try_into().map_err(|_| illegal("sku"))?,
        text: row.text.try_into().map_err(|_| illegal("text"))?,
        created_at: row.created_at,
    })
}

/// The table's constraints forbid it, so somebody changed the table.
fn illegal(column: &str) -> StoreError {
    StoreError::from(DbErr::Type(format!(
        "table comments holds an illegal {column}"
    )))
}
