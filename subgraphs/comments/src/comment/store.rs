//! Statements on one shard's table. Invariant: a row becomes a [`Comment`] here or the read fails.

use chassis::{
    postgres::{StoreError, sql::Sql, within},
    sql,
};
use chrono::{DateTime, Utc};
use schema::id::{CommentId, Sku, UserId};
use sea_orm::{
    ActiveModelTrait as _,
    ActiveValue::Set,
    ColumnTrait as _, DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait as _,
    IntoActiveModel as _, QueryFilter as _, QuerySelect as _,
    sea_query::{Expr, extension::postgres::PgExpr as _},
};

use super::{
    Comment, Text,
    page::{PageRequest, Position},
};
use crate::{
    entity::comment::{Column, Entity, Model},
    shard::ShardIndex,
};

/// Owners, rows of each, and the position to go on behind.
type ListParameters = (
    Vec<i64>,
    i64,
    Option<DateTime<Utc>>,
    Option<i64>,
    Option<i64>,
);

pub(crate) static INSERT: Sql<(i64, i64, i64, String, DateTime<Utc>), Model> = sql!("insert.sql");
pub(crate) static LIST_BY_SKU: Sql<ListParameters, Model> = sql!("list_by_sku.sql");
pub(crate) static LIST_BY_AUTHOR: Sql<ListParameters, Model> = sql!("list_by_author.sql");

/// Inserts a comment under the shard's next id.
pub(super) async fn insert(
    tx: &DatabaseTransaction,
    shard: ShardIndex,
    author: UserId,
    sku: Sku,
    text: &Text,
    created_at: DateTime<Utc>,
) -> Result<Comment, StoreError> {
    let shard = i64::from(shard.get());
    let text = text.as_str().to_owned();
    let row = INSERT.one(tx, (shard, author.get(), sku.get(), text, created_at));
    comment(row.await?.ok_or(DbErr::RecordNotInserted)?)
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
    let found = Entity::find().filter(Expr::col(Column::Id).eq_any(ids));
    comments(within(db, found.all(db)).await?)
}

/// One page and one row more for each of the products, in the order of lists.
pub(super) async fn list_by_skus(
    db: &DatabaseConnection,
    skus: &[Sku],
    page: &PageRequest,
) -> Result<Vec<Comment>, StoreError> {
    let parameters = list_parameters(skus.iter().map(|sku| sku.get()), page);
    comments(within(db, LIST_BY_SKU.all(db, parameters)).await?)
}

/// One page and one row more for each of the authors, in the order of lists.
pub(super) async fn list_by_authors(
    db: &DatabaseConnection,
    authors: &[UserId],
    page: &PageRequest,
) -> Result<Vec<Comment>, StoreError> {
    let parameters = list_parameters(authors.iter().map(|author| author.get()), page);
    comments(within(db, LIST_BY_AUTHOR.all(db, parameters)).await?)
}

/// How many comments each of the products has here; a product without any is left out.
pub(super) async fn count_by_skus(
    db: &DatabaseConnection,
    skus: &[Sku],
) -> Result<Vec<(Sku, u64)>, StoreError> {
    count_by(db, Column::Sku, skus.iter().map(|sku| sku.get())).await
}

/// How many comments each of the authors has here; an author without any is left out.
pub(super) async fn count_by_authors(
    db: &DatabaseConnection,
    authors: &[UserId],
) -> Result<Vec<(UserId, u64)>, StoreError> {
    let authors = authors.iter().map(|author| author.get());
    count_by(db, Column::AuthorId, authors).await
}

/// One array parameter, whatever its length, so that the statement is prepared once.
async fn count_by<O: TryFrom<i64>>(
    db: &DatabaseConnection,
    owner: Column,
    owners: impl Iterator<Item = i64>,
) -> Result<Vec<(O, u64)>, StoreError> {
    let counted = Entity::find()
        .select_only()
        .column(owner)
        .column_as(Column::Id.count(), "total")
        .filter(Expr::col(owner).eq_any(owners))
        .group_by(owner)
        .into_tuple()
        .all(db);
    let rows: Vec<(i64, i64)> = within(db, counted).await?;
    let total =
        |(owner, total): (i64, i64)| Some((O::try_from(owner).ok()?, u64::try_from(total).ok()?));
    rows.into_iter()
        .map(|row| total(row).ok_or_else(|| illegal("owner or total")))
        .collect()
}

fn list_parameters(owners: impl Iterator<Item = i64>, page: &PageRequest) -> ListParameters {
    let position = page.after.map(Position::parts);
    (
        owners.collect(),
        i64::from(page.first) + 1,
        position.map(|(created_at, _, _)| created_at),
        position.map(|(_, author, _)| author.get()),
        position.map(|(_, _, id)| id.get()),
    )
}

fn comments(rows: Vec<Model>) -> Result<Vec<Comment>, StoreError> {
    rows.into_iter().map(comment).collect()
}

fn comment(row: Model) -> Result<Comment, StoreError> {
    Ok(Comment {
        id: row.id.try_into().map_err(|_| illegal("id"))?,
        author: row.author_id.try_into().map_err(|_| illegal("author_id"))?,
        sku: row.sku.try_into().map_err(|_| illegal("sku"))?,
        text: Text::stored(row.text),
        created_at: row.created_at,
    })
}

/// The table's constraints forbid it, so somebody changed the table.
fn illegal(column: &str) -> StoreError {
    StoreError::from(DbErr::Type(format!(
        "table comments holds an illegal {column}"
    )))
}
