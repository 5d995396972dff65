//! A catalogue in memory: every SKU costs ten times its number, and those from a billion on are not in it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use catalogue::{Error, Product, ProductClient, Products};
use schema::id::Sku;

/// From this SKU on there is none.
pub(crate) const UNKNOWN: i64 = 1_000_000_000;

#[derive(Debug)]
pub(crate) struct FakeCatalogue {
    pub(crate) out_of_reach: AtomicBool,
    pub(crate) stale: AtomicBool,
    /// What a unit costs for each of its SKU's number.
    pub(crate) factor: AtomicU32,
}

impl FakeCatalogue {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            out_of_reach: AtomicBool::new(false),
            stale: AtomicBool::new(false),
            factor: AtomicU32::new(10),
        })
    }

    pub(crate) fn products(self: &Arc<Self>) -> Products {
        Products::new(self.clone())
    }
}

#[async_trait::async_trait]
impl ProductClient for FakeCatalogue {
    async fn find(&self, sku: Sku) -> Result<Option<Product>, Error> {
        if self.out_of_reach.load(Ordering::Relaxed) {
            return Err(Error::Status { status: 503 });
        }
        let number = u32::try_from(sku.get()).unwrap_or(u32::MAX);
        let price = number.saturating_mul(self.factor.load(Ordering::Relaxed));
        let mut product = Product::new(sku, &format!("product {sku}"), None, price);
        product.stale = self.stale.load(Ordering::Relaxed);
        Ok(Some(product).filter(|_| sku.get() < UNKNOWN))
    }

    async fn list(&self, _: Option<Sku>, _: u32) -> Result<Arc<[Product]>, Error> {
        Ok(Arc::default())
    }
}
