//! Comments, which nothing here asks for; the shop's graph has them.

use async_graphql::{EmptyMutation, EmptySubscription, ID, Object, Schema, SimpleObject};
use chassis::graphql::LocalSubgraph;

/// Its schema.
pub(super) fn subgraph() -> LocalSubgraph {
    let schema = Schema::build(CommentsQuery, EmptyMutation, EmptySubscription);
    LocalSubgraph::new("comments", schema.enable_federation().finish())
}

struct CommentsQuery;

#[Object(name = "Query")]
impl CommentsQuery {
    async fn comment(&self, id: ID) -> Option<FakeComment> {
        Some(FakeComment { id })
    }
}

#[derive(SimpleObject)]
#[graphql(name = "Comment")]
struct FakeComment {
    id: ID,
}
