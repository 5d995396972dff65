//! Products with their names.

use std::sync::atomic::Ordering::SeqCst;

use async_graphql::{EmptyMutation, EmptySubscription, ID, Object, Schema};
use chassis::graphql::LocalSubgraph;

use super::{fault, orders::Orders};

/// Its schema.
pub(super) fn subgraph(orders: &Orders) -> LocalSubgraph {
    let schema = Schema::build(CartQuery(orders.clone()), EmptyMutation, EmptySubscription);
    LocalSubgraph::new("cart", schema.enable_federation().finish())
}

struct CartQuery(Orders);

struct FakeProduct {
    sku: ID,
    orders: Orders,
}

#[Object(name = "Query")]
impl CartQuery {
    async fn product(&self, sku: ID) -> Option<FakeProduct> {
        self.find_product_by(sku)
    }

    #[graphql(entity)]
    async fn find_product(&self, sku: ID) -> Option<FakeProduct> {
        self.find_product_by(sku)
    }
}

impl CartQuery {
    #[expect(clippy::unnecessary_wraps, reason = "the shape of an entity resolver")]
    fn find_product_by(&self, sku: ID) -> Option<FakeProduct> {
        let orders = self.0.clone();
        Some(FakeProduct { sku, orders })
    }
}

#[Object(name = "Product")]
impl FakeProduct {
    async fn sku(&self) -> &ID {
        &self.sku
    }

    async fn name(&self) -> async_graphql::Result<Option<String>> {
        let inner = &*self.orders.0;
        let (left, code) = &mut *inner.nameless.lock();
        if let Some(fewer) = left.checked_sub(1) {
            *left = fewer;
            return Err(fault(code));
        }
        let bytes = inner.padding.load(SeqCst);
        let padding = "x".repeat(bytes);
        Ok(Some(format!("product {}{padding}", self.sku.as_str())))
    }
}
