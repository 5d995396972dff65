//! The five calls as data: what a client sends and gets, and the operation of the graph behind each.

use crate::rest::{
    gateway::{Field, Kind, Method, Route},
    graph::Operation,
};

pub(super) const ADD: Operation = Operation {
    name: "RestAddComment",
    text: "mutation RestAddComment($input: AddCommentInput!) { addComment(input: $input) { comment { id } userErrors { code message } } }",
};
pub(super) const GET: Operation = Operation {
    name: "RestComment",
    text: "query RestComment($id: ID!) { comment(id: $id) { id author { id } product { sku } text createdAt } }",
};
pub(super) const EDIT: Operation = Operation {
    name: "RestEditComment",
    text: "mutation RestEditComment($input: EditCommentInput!) { editComment(input: $input) { userErrors { code message } } }",
};
pub(super) const BY_SKU: Operation = Operation {
    name: "RestCommentsBySku",
    text: "query RestCommentsBySku($sku: ID!, $first: Int!, $after: String) { comments(sku: $sku, first: $first, after: $after) { nodes { id author { id } product { sku } text createdAt } pageInfo { hasNextPage endCursor } } }",
};
pub(super) const BY_USER: Operation = Operation {
    name: "RestCommentsByUser",
    text: "query RestCommentsByUser($first: Int!, $after: String) { me { comments(first: $first, after: $after) { nodes { id author { id } product { sku } text createdAt } pageInfo { hasNextPage endCursor } } } }",
};

#[cfg(test)]
pub(in crate::rest) const OPERATIONS: &[Operation] = &[ADD, GET, EDIT, BY_SKU, BY_USER];

pub(super) const ID: Field = Field {
    name: "id",
    kind: Kind::Int64,
    about: "The comment.",
};
pub(super) const USER: Field = Field {
    name: "userId",
    kind: Kind::Int64,
    about: "Who wrote it.",
};
pub(super) const SKU: Field = Field {
    name: "sku",
    kind: Kind::Int64,
    about: "What it is about.",
};
pub(super) const TEXT: Field = Field {
    name: "comment",
    kind: Kind::Text,
    about: "1 to 255 characters.",
};
pub(super) const CREATED_AT: Field = Field {
    name: "createdAt",
    kind: Kind::Timestamp,
    about: "When it was written.",
};
const IN_USER: Field = Field {
    name: "user_id",
    kind: Kind::Int64,
    about: "The caller, greater than 0.",
};
const INVALID: (u16, &str) = (400, "Code 3: an argument is out of its bounds.");
const UNKNOWN: (u16, &str) = (404, "Code 5: there is no such comment.");

/// The calls, in the order of docs/contracts.md §6.
pub(in crate::rest) const ROUTES: &[Route] = &[
    Route {
        method: Method::Post,
        path: "/comment/add",
        summary: "Adds a comment on a SKU.",
        request: &[IN_USER, SKU, TEXT],
        reply: &[ID],
        refusals: &[INVALID],
    },
    Route {
        method: Method::Post,
        path: "/comment/get-by-id",
        summary: "Reads one comment.",
        request: &[ID],
        reply: &[ID, USER, SKU, TEXT, CREATED_AT],
        refusals: &[INVALID, UNKNOWN],
    },
    Route {
        method: Method::Post,
        path: "/comment/edit",
        summary: "Replaces the text; only its author may, and only within the edit window.",
        request: &[
            IN_USER,
            Field {
                name: "comment_id",
                kind: Kind::Int64,
                about: "The comment, greater than 0.",
            },
            Field {
                name: "new_comment",
                kind: Kind::Text,
                about: "1 to 255 characters.",
            },
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
    },
    Route {
        method: Method::Post,
        path: "/comment/list-by-sku",
        summary: "Comments on a SKU, newest first.",
        request: &[SKU],
        reply: &[Field {
            name: "comments",
            kind: Kind::List(&[ID, USER, TEXT, CREATED_AT]),
            about: "At most 1,000.",
        }],
        refusals: &[INVALID],
    },
    Route {
        method: Method::Post,
        path: "/comment/list-by-user",
        summary: "Comments of a user, newest first.",
        request: &[IN_USER],
        reply: &[Field {
            name: "comments",
            kind: Kind::List(&[ID, SKU, TEXT, CREATED_AT]),
            about: "At most 1,000.",
        }],
        refusals: &[INVALID],
    },
];
