//! The order service's part of the graph.

use async_graphql::{EmptySubscription, MergedObject, Schema};
use catalogue::Products;
use chassis::{
    graphql::{self, Entities, LocalSubgraph},
    tasks::Tasks,
};

use crate::{
    loader::loader,
    order::{
        Orders,
        graphql::{OrderMutation, OrderQuery},
        loader::OrderLoader,
    },
    stock::{
        Stocks,
        graphql::{StockMutation, StockQuery},
        loader::StockLoader,
    },
};

/// Everything to ask.
#[derive(MergedObject, Default)]
pub(crate) struct Query(OrderQuery, StockQuery);

/// Everything to change.
#[derive(MergedObject, Default)]
pub(crate) struct Mutation(OrderMutation, StockMutation);

type LomsSchema = Schema<Entities<Query>, Mutation, EmptySubscription>;

/// The subgraph over the use cases; its batches run as tasks that a drain waits for.
#[must_use]
pub fn subgraph(
    orders: Orders,
    stocks: Stocks,
    products: Products,
    tasks: &Tasks,
) -> LocalSubgraph {
    LocalSubgraph::new("loms", build(orders, stocks, products, tasks))
}

fn build(orders: Orders, stocks: Stocks, products: Products, tasks: &Tasks) -> LomsSchema {
    let order_loader: OrderLoader = loader(orders.clone(), tasks);
    let stock_loader: StockLoader = loader(stocks.clone(), tasks);
    graphql::schema(Query::default(), Mutation::default())
        .extension(idempotency::graphql::Replays::new())
        .data(orders)
        .data(stocks)
        .data(products)
        .data(order_loader)
        .data(stock_loader)
        .finish()
}

/// The subgraph's SDL, as composition reads it; `schema/graphql/loms.graphql` is its committed copy.
#[must_use]
pub fn sdl() -> String {
    let schema = graphql::schema(Query::default(), Mutation::default());
    graphql::sdl(&schema.finish())
}
