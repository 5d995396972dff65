//! The comments gateway: five POST calls in grpc-gateway's JSON over the graph's comments.
//!
//! Both key cases are read; which one is written is a setting. Adding and editing act for the user in the body, the
//! rest reads as the shim itself. Source: docs/contracts.md §6.

use std::{cmp::Reverse, sync::Arc};

use axum::Router;
use chrono::{DateTime, Utc};
use schema::{
    code::ErrorCode,
    id::{CommentId, Sku, UserId},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use self::calls::{ADD, BY_SKU, BY_USER, CREATED_AT, EDIT, GET, ID, SKU, TEXT, USER};
use super::{
    KeyCase, Shim,
    credential::Actor,
    error::Problem,
    gateway::{self, Field, Handler, Incoming, Route},
    graph::{Call, UserError, accepted},
    json::{Decimal, Fields, timestamp},
};

#[cfg(test)]
pub(super) use self::calls::OPERATIONS;
pub(super) use self::calls::ROUTES;

mod calls;

/// Comments of one page of the graph, its own upper bound.
const PAGE: u32 = 100;
/// Pages of one list: a list ends at 1,000 comments. Source: docs/contracts.md §6, "lists".
const PAGES_MAX: usize = 10;
/// Characters of a comment. Source: docs/contracts.md §6, "length".
const LENGTH_MAX: usize = 255;

const USER_KEYS: &[&str] = &["user_id", "userId", "userID"];
const COMMENT_ID_KEYS: &[&str] = &["comment_id", "commentId", "commentID"];

/// The title of the gateway's document.
pub(super) const TITLE: &str = "Comments";

/// The gateway's routes, its document and Swagger UI.
pub(super) fn routes(shim: &Arc<Shim>) -> Router {
    gateway::serve(
        "comments",
        TITLE,
        ROUTES,
        shim.options.wrong_method,
        |route| handler(shim, route),
    )
}

fn handler(shim: &Arc<Shim>, route: &'static Route) -> Handler {
    let shim = Arc::clone(shim);
    Arc::new(move |incoming| {
        let shim = Arc::clone(&shim);
        Box::pin(async move {
            match route.path {
                "/comment/add" => add(&shim, incoming).await,
                "/comment/get-by-id" => get(&shim, incoming).await,
                "/comment/edit" => edit(&shim, incoming).await,
                "/comment/list-by-sku" => list_by_sku(&shim, incoming).await,
                "/comment/list-by-user" => list_by_user(&shim, incoming).await,
                _ => Err(Problem::masked(ErrorCode::NotFound)),
            }
        })
    })
}

/// A comment as the graph gives it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Comment {
    id: Decimal<i64>,
    author: Author,
    product: Product,
    text: String,
    created_at: DateTime<Utc>,
}

#[derive(Debug, Deserialize)]
struct Author {
    id: Decimal<i64>,
}

#[derive(Debug, Deserialize)]
struct Product {
    sku: Decimal<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Connection {
    nodes: Vec<Comment>,
    page_info: PageInfo,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

async fn add(shim: &Shim, incoming: Incoming) -> Result<Value, Problem> {
    #[derive(Deserialize)]
    struct Data {
        #[serde(rename = "addComment")]
        payload: Option<Payload>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Payload {
        comment: Option<Author>,
        user_errors: Vec<UserError>,
    }

    let user: UserId = gateway::id(&incoming.fields, USER_KEYS, "CommentAddRequest.UserId")?;
    let sku: Sku = gateway::id(&incoming.fields, &["sku"], "CommentAddRequest.Sku")?;
    let text = text(&incoming.fields, &["comment"], "CommentAddRequest.Comment")?;
    let input = json!({"input": {"sku": sku.to_string(), "text": text}});
    let call = Call::new(&ADD, Actor::User(user), input).with_headers(&incoming.headers);
    let reply = shim.graph.run::<Data>(call).await?;
    let payload = reply.require(|data| data.payload, ErrorCode::Internal)?;
    accepted(payload.user_errors)?;
    let comment = payload
        .comment
        .ok_or_else(|| Problem::masked(ErrorCode::Internal))?;
    Ok(json!({"id": comment.id.0.to_string()}))
}

async fn get(shim: &Shim, incoming: Incoming) -> Result<Value, Problem> {
    #[derive(Deserialize)]
    struct Data {
        comment: Option<Comment>,
    }

    let id: CommentId = gateway::id(&incoming.fields, &["id"], "CommentGetByIDRequest.Id")?;
    let call = Call::new(&GET, Actor::Shim, json!({"id": id.to_string()}));
    let reply = shim
        .graph
        .run::<Data>(call.with_headers(&incoming.headers))
        .await?;
    let comment = reply.require(|data| data.comment, ErrorCode::NotFound)?;
    Ok(written(
        shim.options.comments_key_case,
        &comment,
        &[ID, USER, SKU, TEXT, CREATED_AT],
    ))
}

async fn edit(shim: &Shim, incoming: Incoming) -> Result<Value, Problem> {
    #[derive(Deserialize)]
    struct Data {
        #[serde(rename = "editComment")]
        payload: Option<Payload>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Payload {
        user_errors: Vec<UserError>,
    }

    let user: UserId = gateway::id(&incoming.fields, USER_KEYS, "CommentEditRequest.UserId")?;
    let id: CommentId = gateway::id(
        &incoming.fields,
        COMMENT_ID_KEYS,
        "CommentEditRequest.CommentId",
    )?;
    let names = &["new_comment", "newComment"];
    let text = text(&incoming.fields, names, "CommentEditRequest.NewComment")?;
    let input = json!({"input": {"id": id.to_string(), "text": text}});
    let call = Call::new(&EDIT, Actor::User(user), input).with_headers(&incoming.headers);
    let reply = shim.graph.run::<Data>(call).await?;
    accepted(
        reply
            .require(|data| data.payload, ErrorCode::Internal)?
            .user_errors,
    )?;
    Ok(json!({}))
}

async fn list_by_sku(shim: &Shim, incoming: Incoming) -> Result<Value, Problem> {
    #[derive(Deserialize)]
    struct Data {
        comments: Option<Connection>,
    }

    let sku: Sku = gateway::id(&incoming.fields, &["sku"], "CommentListBySKURequest.Sku")?;
    let mut list = List::default();
    while let Some(after) = list.next() {
        let page = json!({"sku": sku.to_string(), "first": PAGE, "after": after});
        let call = Call::new(&BY_SKU, Actor::Shim, page).with_headers(&incoming.headers);
        let reply = shim.graph.run::<Data>(call).await?;
        list.append(reply.require(|data| data.comments, ErrorCode::Internal)?);
    }
    Ok(list.written(
        shim.options.comments_key_case,
        &[ID, USER, TEXT, CREATED_AT],
    ))
}

async fn list_by_user(shim: &Shim, incoming: Incoming) -> Result<Value, Problem> {
    #[derive(Deserialize)]
    struct Data {
        me: Option<Me>,
    }
    #[derive(Deserialize)]
    struct Me {
        comments: Connection,
    }

    let user: UserId = gateway::id(
        &incoming.fields,
        USER_KEYS,
        "CommentListByUserRequest.UserId",
    )?;
    let mut list = List::default();
    while let Some(after) = list.next() {
        let page = json!({"first": PAGE, "after": after});
        let call = Call::new(&BY_USER, Actor::User(user), page).with_headers(&incoming.headers);
        let reply = shim.graph.run::<Data>(call).await?;
        list.append(reply.require(|data| data.me, ErrorCode::Internal)?.comments);
    }
    Ok(list.written(shim.options.comments_key_case, &[ID, SKU, TEXT, CREATED_AT]))
}

/// A list that is read page by page, up to its bound.
#[derive(Debug, Default)]
struct List {
    comments: Vec<Comment>,
    pages: usize,
    after: Option<String>,
    ended: bool,
}

impl List {
    /// Where the next page begins: outer `None` when there is none, inner `None` for the first page.
    fn next(&self) -> Option<Option<String>> {
        (!self.ended && self.pages < PAGES_MAX).then(|| self.after.clone())
    }

    fn append(&mut self, page: Connection) {
        self.comments.extend(page.nodes);
        self.pages += 1;
        self.ended = !page.page_info.has_next_page || page.page_info.end_cursor.is_none();
        self.after = page.page_info.end_cursor;
    }

    /// Newest first, ties by user ascending. Source: docs/contracts.md §6, "order".
    fn written(mut self, case: KeyCase, fields: &[Field]) -> Value {
        self.comments
            .sort_by_key(|comment| (Reverse(comment.created_at), comment.author.id.0));
        let comments = self
            .comments
            .iter()
            .map(|comment| written(case, comment, fields));
        json!({"comments": comments.collect::<Vec<_>>()})
    }
}

/// The text of a comment: its length counts characters, not bytes.
fn text(fields: &Fields, names: &[&str], what: &str) -> Result<String, Problem> {
    let text = fields.string(names)?;
    match text.chars().count() {
        1..=LENGTH_MAX => Ok(text),
        _ => Err(Problem::invalid(format!(
            "invalid {what}: value length must be between 1 and {LENGTH_MAX} runes, inclusive"
        ))),
    }
}

/// The named fields of a comment, each key in the configured case.
fn written(case: KeyCase, comment: &Comment, fields: &[Field]) -> Value {
    let mut members = Map::new();
    for field in fields {
        let (snake, value) = match field.name {
            "id" => ("id", comment.id.0.to_string()),
            "userId" => ("user_id", comment.author.id.0.to_string()),
            "sku" => ("sku", comment.product.sku.0.to_string()),
            "comment" => ("comment", comment.text.clone()),
            _ => ("created_at", timestamp(comment.created_at)),
        };
        if case != KeyCase::Snake {
            members.insert(field.name.to_owned(), value.clone().into());
        }
        if case != KeyCase::Camel {
            members.insert(snake.to_owned(), value.into());
        }
    }
    Value::Object(members)
}
