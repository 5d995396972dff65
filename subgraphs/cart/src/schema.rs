//! The cart's part of the graph, put together from its features.

use async_graphql::{EmptySubscription, MergedObject, Schema};
use catalogue::Products;
use chassis::graphql::{self, Entities};
use idempotency::graphql::Replays;

use crate::{
    cart::{Carts, graphql::CartMutation},
    checkout::{Checkouts, graphql::CheckoutMutation},
    loms::Loms,
    product::{graphql::ProductQuery, warning::Warnings},
    user::UserQuery,
};

/// Everything to ask.
#[derive(MergedObject, Default)]
pub(crate) struct Query(UserQuery, ProductQuery);

/// Everything to change.
#[derive(MergedObject, Default)]
pub(crate) struct Mutation(CartMutation, CheckoutMutation);

pub(crate) type CartSchema = Schema<Entities<Query>, Mutation, EmptySubscription>;

/// The schema over the use cases.
pub(crate) fn build(
    carts: Carts,
    checkouts: Checkouts,
    products: Products,
    loms: Loms,
) -> CartSchema {
    graphql::schema(Query::default(), Mutation::default())
        .extension(Replays::new())
        .extension(Warnings::new())
        .data(carts)
        .data(checkouts)
        .data(products)
        .data(loms)
        .finish()
}

/// The subgraph's SDL, as composition reads it; `schema/graphql/cart.graphql` is its committed copy.
#[must_use]
pub fn sdl() -> String {
    let schema = graphql::schema(Query::default(), Mutation::default());
    graphql::sdl(&schema.finish())
}
