//! A catalogue in memory: every SKU up to 1000 exists and costs ten times its number.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use ::schema::id::Sku;
use catalogue::{Error, Product, ProductClient, Products};

#[derive(Debug, Default)]
pub(crate) struct FakeCatalogue {
    pub(crate) out_of_reach: AtomicBool,
}

impl FakeCatalogue {
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
        let price = u32::try_from(sku.get().saturating_mul(10)).unwrap_or(u32::MAX);
        let product = Product::new(sku, &format!("product {sku}"), None, price);
        Ok(Some(product).filter(|_| sku.get() <= 1000))
    }

    async fn list(&self, _: Option<Sku>, _: u32) -> Result<Arc<[Product]>, Error> {
        Ok(Arc::default())
    }
}
