//! The cart's part of the graph, put together from its features.

use async_graphql::{EmptySubscription, MergedObject, Schema};
use catalogue::Products;
use chassis::graphql::limits;
use idempotency::graphql::Replays;

use crate::{
    cart::{Carts, graphql::CartMutation},
    checkout::{Checkouts, graphql::CheckoutMutation},
    product::{graphql::ProductQuery, warning::Warnings},
    user::UserQuery,
};

/// Everything to ask.
#[derive(MergedObject, Default)]
pub(crate) struct Query(UserQuery, ProductQuery);

/// Everything to change.
#[derive(MergedObject, Default)]
pub(crate) struct Mutation(CartMutation, CheckoutMutation);

pub(crate) type CartSchema = Schema<Query, Mutation, EmptySubscription>;

/// The schema over the use cases.
pub(crate) fn build(carts: Carts, checkouts: Checkouts, products: Products) -> CartSchema {
    limits(Schema::build(
        Query::default(),
        Mutation::default(),
        EmptySubscription,
    ))
    .extension(Replays::new())
    .extension(Warnings::new())
    .data(carts)
    .data(checkouts)
    .data(products)
    .finish()
}

/// The subgraph's SDL, as composition reads it; `schema/graphql/cart.graphql` is its committed copy.
#[must_use]
pub fn sdl() -> String {
    let schema = limits(Schema::build(
        Query::default(),
        Mutation::default(),
        EmptySubscription,
    ));
    chassis::graphql::sdl(&schema.finish())
}
