//! The comments service's part of the graph.

use async_graphql::{EmptySubscription, MergedObject, Schema, dataloader::DataLoader};
use chassis::{
    graphql::{self, Entities},
    tasks::Tasks,
};
use tracing::Instrument as _;

use crate::comment::{
    Comments,
    graphql::{CommentMutation, CommentQuery},
    loader::Batches,
};

/// Everything to ask.
#[derive(MergedObject, Default)]
pub(crate) struct Query(CommentQuery);

/// Everything to change.
#[derive(MergedObject, Default)]
pub(crate) struct Mutation(CommentMutation);

pub(crate) type CommentsSchema = Schema<Entities<Query>, Mutation, EmptySubscription>;

/// The schema over the use cases; batches run as tasks that a drain waits for.
pub(crate) fn build(comments: Comments, tasks: &Tasks) -> CommentsSchema {
    let tasks = tasks.clone();
    let batches = DataLoader::new(Batches(comments.clone()), move |batch| {
        tasks.spawn("comments batch", batch.in_current_span())
    });
    graphql::schema(Query::default(), Mutation::default())
        .extension(idempotency::graphql::Replays::new())
        .data(comments)
        .data(batches)
        .finish()
}

/// The subgraph's SDL, as composition reads it; `schema/graphql/comments.graphql` is its committed copy.
#[must_use]
pub fn sdl() -> String {
    let schema = graphql::schema(Query::default(), Mutation::default());
    graphql::sdl(&schema.finish())
}
