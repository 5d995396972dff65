//! Comments in the graph: decode, call, encode.
//!
//! Users and products are references without a look-up: what can fail sits in their fields.

use std::sync::Arc;

use async_graphql::{
    Context, ID, InputObject, Object, Result, SimpleObject, dataloader::DataLoader,
};
use chassis::{
    fault,
    graphql::{self, PageInfo, ResponseCount, UserError, page},
};
use chrono::{DateTime, Utc};
use idempotency::{
    Recorded,
    graphql::{key, mark},
};
use schema::id::{CommentId, Sku, UserId};

use super::{
    Comment, CommentError, Comments, Error, ListOf, Page, PageRequest, Position, Text,
    loader::{Batches, PageOf},
};

fn comments<'a>(ctx: &Context<'a>) -> &'a Comments {
    ctx.data_unchecked::<Comments>()
}

fn batches<'a>(ctx: &Context<'a>) -> &'a DataLoader<Batches> {
    ctx.data_unchecked::<DataLoader<Batches>>()
}

/// What can be asked of comments.
#[derive(Debug, Default)]
pub(crate) struct CommentQuery;

#[Object]
impl CommentQuery {
    /// One comment, or null.
    async fn comment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The comment's id.")] id: ID,
    ) -> Result<Option<CommentObject>> {
        let Ok(id) = id.parse::<CommentId>() else {
            return Ok(None);
        };
        let found = batches(ctx).load_one(id).await.map_err(fault::graphql)?;
        Ok(found.map(CommentObject))
    }

    /// What people say of a SKU, newest first; also of one that the catalogue does not know. Null, with an error, when it
    /// cannot be read.
    async fn comments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The SKU.")] sku: ID,
        #[graphql(desc = "How many, 1 to 100.", default = 20)] first: Option<i32>,
        #[graphql(desc = "The cursor to go on behind.")] after: Option<String>,
    ) -> Result<Option<CommentConnection>> {
        let sku = sku
            .parse::<Sku>()
            .map_err(|error| fault::graphql(CommentError::BadSku(error)))?;
        let page = CommentConnection::load(ctx, ListOf::Sku(sku), first, after).await?;
        Ok(Some(page))
    }

    #[graphql(entity)]
    async fn find_comment_by_id(&self, ctx: &Context<'_>, id: ID) -> Result<Option<CommentObject>> {
        self.comment(ctx, id).await
    }

    #[graphql(entity)]
    async fn find_user_by_id(&self, id: ID) -> Option<User> {
        id.parse().ok().map(User)
    }

    #[graphql(entity)]
    async fn find_product_by_sku(&self, sku: ID) -> Option<Product> {
        sku.parse().ok().map(Product)
    }
}

/// What can be done with comments.
#[derive(Debug, Default)]
pub(crate) struct CommentMutation;

#[Object]
impl CommentMutation {
    /// Adds the caller's comment to a product.
    async fn add_comment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to say of which product.")] input: AddCommentInput,
    ) -> Result<CommentPayload> {
        let me = writer(ctx)?;
        let add = async {
            let key = key(ctx, input.idempotency_key)?;
            let (sku, text) = (sku(&input.sku)?, Text::try_from(input.text)?);
            comments(ctx).add(me, sku, text, key).await
        };
        payload(ctx, add.await)
    }

    /// Replaces the text of the caller's own comment while it is editable.
    async fn edit_comment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which comment, and its new text.")] input: EditCommentInput,
    ) -> Result<CommentPayload> {
        let me = writer(ctx)?;
        let edit = async {
            let key = key(ctx, input.idempotency_key)?;
            let (id, text) = (comment_id(&input.id)?, Text::try_from(input.text)?);
            comments(ctx).edit(me, id, text, key).await
        };
        payload(ctx, edit.await)
    }
}

/// The user who writes. One who comes through the public graph has a budget; a repeat takes from it too.
fn writer(ctx: &Context<'_>) -> Result<UserId> {
    let principal = graphql::principal(ctx)?;
    let user = principal.user().map_err(fault::graphql)?;
    if !principal.is_service() {
        comments(ctx).admit_write(user).map_err(fault::graphql)?;
    }
    Ok(user)
}

fn sku(id: &ID) -> std::result::Result<Sku, CommentError> {
    id.parse().map_err(CommentError::BadSku)
}

/// No comment has an id that is not a number.
fn comment_id(id: &ID) -> std::result::Result<CommentId, CommentError> {
    id.parse().map_err(|_| CommentError::NotFound)
}

/// A refusal is part of the payload; anything else is a fault.
fn payload(
    ctx: &Context<'_>,
    outcome: std::result::Result<Recorded<Comment>, Error>,
) -> Result<CommentPayload> {
    match outcome {
        Ok(recorded) => Ok(CommentPayload {
            comment: Some(CommentObject(mark(ctx, recorded))),
            user_errors: Vec::new(),
        }),
        Err(error) => match UserError::try_of(&error) {
            Some(refusal) => Ok(CommentPayload {
                comment: None,
                user_errors: vec![refusal],
            }),
            None => Err(fault::graphql(error)),
        },
    }
}

/// A new comment.
#[derive(Debug, InputObject)]
pub(crate) struct AddCommentInput {
    /// The product.
    sku: ID,
    /// 1 to 255 characters, at least one of them to be seen.
    text: String,
    /// 1 to 255 characters; a repeat with the same key and input gets the first response. Wins over the header Idempotency-Key.
    idempotency_key: Option<String>,
}

/// A comment's new text.
#[derive(Debug, InputObject)]
pub(crate) struct EditCommentInput {
    /// The comment.
    id: ID,
    /// 1 to 255 characters, at least one of them to be seen.
    text: String,
    /// 1 to 255 characters; a repeat with the same key and input gets the first response. Wins over the header Idempotency-Key.
    idempotency_key: Option<String>,
}

/// The comment after the change.
#[derive(Debug, SimpleObject)]
pub(crate) struct CommentPayload {
    /// The comment as it stands; null when refused.
    comment: Option<CommentObject>,
    /// What the caller can mend; empty on success.
    user_errors: Vec<UserError>,
}

#[derive(Debug, Clone)]
pub(crate) struct CommentObject(Comment);

/// What somebody says of a product.
#[Object(name = "Comment")]
impl CommentObject {
    /// The comment's id.
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// Who wrote it.
    async fn author(&self) -> User {
        User(self.0.author)
    }

    /// What it is about.
    async fn product(&self) -> Product {
        Product(self.0.sku)
    }

    /// 1 to 255 characters.
    async fn text(&self) -> &str {
        self.0.text.as_str()
    }

    /// When it was written.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// Until when its author may edit it.
    async fn editable_until(&self, ctx: &Context<'_>) -> DateTime<Utc> {
        self.0.editable_until(comments(ctx).edit_window())
    }
}

#[derive(Debug)]
pub(crate) struct User(UserId);

/// A customer.
#[Object]
impl User {
    /// The user's id.
    async fn id(&self) -> ID {
        self.0.into()
    }

    /// The user's comments, newest first; null, with an error, when they cannot be read.
    async fn comments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.", default = 20)] first: Option<i32>,
        #[graphql(desc = "The cursor to go on behind.")] after: Option<String>,
    ) -> Result<Option<CommentConnection>> {
        let page = CommentConnection::load(ctx, ListOf::Author(self.0), first, after).await?;
        Ok(Some(page))
    }
}

#[derive(Debug)]
pub(crate) struct Product(Sku);

/// A product of the catalogue.
#[Object]
impl Product {
    /// Its SKU.
    async fn sku(&self) -> ID {
        self.0.into()
    }

    /// What people say of it, newest first; null, with an error, when it cannot be read.
    async fn comments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.", default = 20)] first: Option<i32>,
        #[graphql(desc = "The cursor to go on behind.")] after: Option<String>,
    ) -> Result<Option<CommentConnection>> {
        let page = CommentConnection::load(ctx, ListOf::Sku(self.0), first, after).await?;
        Ok(Some(page))
    }
}

#[derive(Debug)]
pub(crate) struct CommentConnection {
    list: ListOf,
    page: Arc<Page>,
    continued: bool,
}

impl CommentConnection {
    async fn load(
        ctx: &Context<'_>,
        list: ListOf,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Self> {
        let first = page::first_or_default(first).map_err(fault::graphql)?;
        let after = after
            .as_deref()
            .map(page::decode_cursor::<Position>)
            .transpose()
            .map_err(fault::graphql)?;
        let page = if page::is_read(ctx) {
            Self::page(ctx, list, PageRequest { first, after }).await?
        } else {
            Arc::default()
        };
        Ok(Self {
            list,
            page,
            continued: after.is_some(),
        })
    }

    async fn page(ctx: &Context<'_>, list: ListOf, page: PageRequest) -> Result<Arc<Page>> {
        let key = PageOf {
            list,
            page,
            response: ResponseCount::of(ctx),
        };
        let loaded = batches(ctx)
            .load_one(key)
            .await
            .unwrap_or_else(|never| match never {});
        let page = loaded.transpose().map_err(fault::graphql)?;
        Ok(page.unwrap_or_default())
    }
}

fn cursor(comment: &Comment) -> String {
    page::encode_cursor(&Position::behind(comment).to_string())
}

/// A page of comments.
#[Object]
impl CommentConnection {
    /// The entries with their cursors.
    async fn edges(&self) -> Vec<CommentEdge> {
        let edge = |comment: &Comment| CommentEdge {
            cursor: cursor(comment),
            node: CommentObject(comment.clone()),
        };
        self.page.comments.iter().map(edge).collect()
    }

    /// The entries alone.
    async fn nodes(&self) -> Vec<CommentObject> {
        self.page
            .comments
            .iter()
            .cloned()
            .map(CommentObject)
            .collect()
    }

    /// Where this page stands.
    async fn page_info(&self) -> PageInfo {
        PageInfo {
            has_next_page: self.page.has_next,
            has_previous_page: self.continued,
            start_cursor: self.page.comments.first().map(cursor),
            end_cursor: self.page.comments.last().map(cursor),
        }
    }

    /// How many there are in the whole list; counted only when asked for.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i32> {
        let loaded = batches(ctx)
            .load_one(self.list)
            .await
            .unwrap_or_else(|never| match never {});
        let total = loaded
            .transpose()
            .map_err(fault::graphql)?
            .unwrap_or_default();
        Ok(i32::try_from(total).unwrap_or(i32::MAX))
    }
}

/// One entry of a list of comments.
#[derive(Debug, SimpleObject)]
pub(crate) struct CommentEdge {
    /// The place behind this entry: pass it as `after`.
    cursor: String,
    /// The entry.
    node: CommentObject,
}
