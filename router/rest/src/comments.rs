//! The comments gateway: five POST calls in grpc-gateway's JSON over the graph's comments.
//!
//! Both key cases are read; which one is written is a setting. Adding and editing act for the user in the body, the
//! rest reads as the shim itself. Source: docs/contracts.md §6.

use std::{cmp::Reverse, sync::Arc};

use axum::Router;
use chassis::admission::Priority;
use chrono::{DateTime, Utc};
use schema::{
    code::ErrorCode,
    id::{CommentId, Sku, UserId},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    config::KeyCase,
    credential::Actor,
    error::Problem,
    gateway,
    graph::{Call, Operation},
    json::{Decimal, timestamp},
    route::{Field, Incoming, Method, Route},
    shim::Shim,
};

/// Comments of one page of the graph, its own upper bound.
const PAGE: u32 = 100;
/// Pages of one list: a list ends at 1,000 comments. Source: docs/contracts.md §6, "lists".
const PAGES_MAX: usize = 10;
/// Characters of a comment. Source: docs/contracts.md §6, "length".
const LENGTH_MAX: usize = 255;

const USER_KEYS: &[&str] = &["user_id", "userId", "userID"];
const COMMENT_ID_KEYS: &[&str] = &["comment_id", "commentId", "commentID"];

const ADD: Operation = Operation {
    name: "RestAddComment",
    text: "mutation RestAddComment($input: AddCommentInput!) { addComment(input: $input) { comment { id } userErrors { code message } } }",
    class: Priority::Mutation,
};
const GET: Operation = Operation {
    name: "RestComment",
    text: "query RestComment($id: ID!) { comment(id: $id) { id author { id } product { sku } text createdAt } }",
    class: Priority::Read,
};
const EDIT: Operation = Operation {
    name: "RestEditComment",
    text: "mutation RestEditComment($input: EditCommentInput!) { editComment(input: $input) { userErrors { code message } } }",
    class: Priority::Mutation,
};
const BY_SKU: Operation = Operation {
    name: "RestCommentsBySku",
    text: "query RestCommentsBySku($sku: ID!, $first: Int!, $after: String) { comments(sku: $sku, first: $first, after: $after) { nodes { id author { id } product { sku } text createdAt } pageInfo { hasNextPage endCursor } } }",
    class: Priority::Read,
};
const BY_USER: Operation = Operation {
    name: "RestCommentsByUser",
    text: "query RestCommentsByUser($first: Int!, $after: String) { me { comments(first: $first, after: $after) { nodes { id author { id } product { sku } text createdAt } pageInfo { hasNextPage endCursor } } } }",
    class: Priority::Read,
};

#[cfg(test)]
pub(super) const OPERATIONS: &[Operation] = &[ADD, GET, EDIT, BY_SKU, BY_USER];

const ID: Field = Field::int64("id", "The comment.");
const USER: Field = Field::int64("userId", "Who wrote it.");
const SKU: Field = Field::int64("sku", "What it is about.");
const TEXT: Field = Field::text("comment", 255, "1 to 255 characters.");
const CREATED_AT: Field = Field::timestamp("createdAt", "When it was written.");
/// Read in snake case too: docs/contracts.md §6.
const IN_USER: Field = Field::int64("userId", "The caller, greater than 0.");
const INVALID: (u16, &str) = (400, "Code 3: an argument is out of its bounds.");
const UNKNOWN: (u16, &str) = (404, "Code 5: there is no such comment.");

/// The calls, in the order of docs/contracts.md §6.
pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::Post,
        path: "/comment/add",
        summary: "Adds a comment on a SKU.",
        request: &[IN_USER, SKU, TEXT],
        reply: &[ID],
        refusals: &[INVALID],
        call: |shim, incoming| Box::pin(add(shim, incoming)),
    },
    Route {
        method: Method::Post,
        path: "/comment/get-by-id",
        summary: "Reads one comment.",
        request: &[ID],
        reply: &[ID, USER, SKU, TEXT, CREATED_AT],
        refusals: &[INVALID, UNKNOWN],
        call: |shim, incoming| Box::pin(get(shim, incoming)),
    },
    Route {
        method: Method::Post,
        path: "/comment/edit",
        summary: "Replaces the text; only its author may, and only within the edit window.",
        request: &[
            IN_USER,
            Field::int64("commentId", "The comment, greater than 0."),
            Field::text("newComment", 255, "1 to 255 characters."),
        ],
        reply: &[],
        refusals: &[
            (
                400,
                "Code 3: an argument is out of its bounds. Code 9: the edit window is over.",
            ),
            (403, "Code 7: somebody else wrote it."),
            UNKNOWN,
        ],
        call: |shim, incoming| Box::pin(edit(shim, incoming)),
    },
    Route {
        method: Method::Post,
        path: "/comment/list-by-sku",
        summary: "Comments on a SKU, newest first.",
        request: &[SKU],
        reply: &[Field::list(
            "comments",
            &[ID, USER, TEXT, CREATED_AT],
            0,
            "At most 1,000.",
        )],
        refusals: &[INVALID],
        call: |shim, incoming| Box::pin(list_by_sku(shim, incoming)),
    },
    Route {
        method: Method::Post,
        path: "/comment/list-by-user",
        summary: "Comments of a user, newest first.",
        request: &[IN_USER],
        reply: &[Field::list(
            "comments",
            &[ID, SKU, TEXT, CREATED_AT],
            0,
            "At most 1,000.",
        )],
        refusals: &[INVALID],
        call: |shim, incoming| Box::pin(list_by_user(shim, incoming)),
    },
];

/// The title of the gateway's document.
pub(super) const TITLE: &str = "Comments";

/// The gateway's routes, its document and Swagger UI.
pub(super) fn routes(shim: &Arc<Shim>) -> Router {
    gateway::serve("comments", TITLE, ROUTES, shim)
}

async fn add(shim: &Shim, incoming: Incoming) -> Result<Value, Problem> {
    let user: UserId = incoming.id(USER_KEYS, "CommentAddRequest.UserId")?;
    let sku: Sku = incoming.id(&["sku"], "CommentAddRequest.Sku")?;
    let text = text(&incoming, &["comment"], "CommentAddRequest.Comment")?;
    let input = json!({"input": {"sku": sku.to_string(), "text": text}});
    let call = Call::new(&ADD, Actor::User(user), input, &incoming.headers);
    let comment = shim.graph.make(call).await?;
    Ok(json!({"id": comment.to_string()}))
}

async fn get(shim: &Shim, incoming: Incoming) -> Result<Value, Problem> {
    let id: CommentId = incoming.id(&["id"], "CommentGetByIDRequest.Id")?;
    let variables = json!({"id": id.to_string()});
    let call = Call::new(&GET, Actor::Shim, variables, &incoming.headers);
    let found: Option<Comment> = shim.graph.find(call).await?;
    let comment = found.ok_or_else(|| Problem::masked(ErrorCode::NotFound))?;
    let case = shim.options.comments_key_case;
    Ok(written(case, &comment, &[ID, USER, SKU, TEXT, CREATED_AT]))
}

async fn edit(shim: &Shim, incoming: Incoming) -> Result<Value, Problem> {
    let user: UserId = incoming.id(USER_KEYS, "CommentEditRequest.UserId")?;
    let id: CommentId = incoming.id(COMMENT_ID_KEYS, "CommentEditRequest.CommentId")?;
    let names = &["new_comment", "newComment"];
    let text = text(&incoming, names, "CommentEditRequest.NewComment")?;
    let input = json!({"input": {"id": id.to_string(), "text": text}});
    let call = Call::new(&EDIT, Actor::User(user), input, &incoming.headers);
    shim.graph.change(call).await?;
    Ok(json!({}))
}

async fn list_by_sku(shim: &Shim, incoming: Incoming) -> Result<Value, Problem> {
    let sku: Sku = incoming.id(&["sku"], "CommentListBySKURequest.Sku")?;
    let mut list = List::default();
    while list.has_more() {
        let page = json!({"sku": sku.to_string(), "first": PAGE, "after": list.after});
        let call = Call::new(&BY_SKU, Actor::Shim, page, &incoming.headers);
        list.append(shim.graph.load(call).await?);
    }
    let case = shim.options.comments_key_case;
    Ok(list.written(case, &[ID, USER, TEXT, CREATED_AT]))
}

async fn list_by_user(shim: &Shim, incoming: Incoming) -> Result<Value, Problem> {
    #[derive(Deserialize)]
    struct Me {
        comments: Connection,
    }

    let user: UserId = incoming.id(USER_KEYS, "CommentListByUserRequest.UserId")?;
    let mut list = List::default();
    while list.has_more() {
        let page = json!({"first": PAGE, "after": list.after});
        let call = Call::new(&BY_USER, Actor::User(user), page, &incoming.headers);
        let me: Me = shim.graph.load(call).await?;
        list.append(me.comments);
    }
    let case = shim.options.comments_key_case;
    Ok(list.written(case, &[ID, SKU, TEXT, CREATED_AT]))
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

/// A list that is read page by page, up to its bound.
#[derive(Debug, Default)]
struct List {
    comments: Vec<Comment>,
    pages: usize,
    after: Option<String>,
    ended: bool,
}

impl List {
    /// Whether the graph has more, within the list's bound.
    fn has_more(&self) -> bool {
        !self.ended && self.pages < PAGES_MAX
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
fn text(incoming: &Incoming, names: &[&str], what: &str) -> Result<String, Problem> {
    let text = incoming.fields.string(names)?;
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
