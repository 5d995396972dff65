//! Puts the cart service together: store, clients, use cases, schema.
//!
//! Nothing is contacted at the start: Postgres, the order service and the product service are dialled when first needed,
//! and come back by themselves.

use std::sync::Arc;

use catalogue::{Products, SetupError};
use chassis::{
    clock::Clock,
    graphql::LocalSubgraph,
    health::Health,
    postgres::{self, StoreError},
    principal::ServiceSigner,
    service::{self, Database},
    tasks::Tasks,
};

use crate::{
    cart::{
        self, Carts,
        store::{MemoryCarts, PostgresCarts},
    },
    checkout::{self, Checkouts},
    config::{Config, Store},
    loms::{InvalidUrl, Loms},
    metrics, retention, schema,
};

/// The database's name.
const DATABASE: &str = "cart";

/// What the cart service is given.
#[derive(Debug, Clone)]
pub struct Dependencies {
    /// The server that has the database `cart`.
    pub postgres: postgres::Config,
    /// Proves the cart to the order service.
    pub service: Option<Arc<ServiceSigner>>,
    /// The time.
    pub clock: Clock,
}

/// Why the cart service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The order service's address is none.
    #[error(transparent)]
    Loms(#[from] InvalidUrl),
    /// The product client's settings are wrong.
    #[error(transparent)]
    Product(#[from] SetupError),
    /// The database's settings are wrong.
    #[error("the carts' database")]
    Postgres(#[from] StoreError),
}

/// A running cart service.
#[derive(Debug)]
pub struct Service {
    subgraph: LocalSubgraph,
}

impl Service {
    /// Wires the service; background work runs in `tasks` until it is cancelled.
    ///
    /// # Errors
    /// [`StartError`] names the setting that is wrong. A service that is out of reach is none.
    pub async fn start(
        config: Config,
        dependencies: Dependencies,
        tasks: &Tasks,
        health: &Health,
    ) -> Result<Self, StartError> {
        let loms = Loms::new(&config.loms_url, config.loms_timeout, dependencies.service)?;
        let products = Products::connect(&config.catalogue())?;
        let (carts, checkouts): (Arc<dyn cart::Repository>, Arc<dyn checkout::Repository>) =
            match config.store {
                Store::Postgres => {
                    let database = Database::open(&dependencies.postgres, DATABASE, tasks).await?;
                    let clock = dependencies.clock.clone();
                    let carts = PostgresCarts::new(database.pool.clone(), clock);
                    let component = health.component("cart.postgres");
                    service::start_probe(vec![database], component, None, tasks);
                    retention::start(carts.clone(), dependencies.clock, tasks);
                    let store = Arc::new(carts);
                    (store.clone(), store)
                }
                Store::Memory => {
                    let store = Arc::new(MemoryCarts::default());
                    (store.clone(), store)
                }
            };
        metrics::announce();
        let carts = Carts::new(carts, products.clone(), loms.clone());
        let checkouts = Checkouts::new(checkouts, products.clone(), loms.clone());
        let schema = schema::build(carts, checkouts, products, loms);
        Ok(Self {
            subgraph: LocalSubgraph::new("cart", schema),
        })
    }

    /// The subgraph, to be called in process or served over HTTP.
    #[must_use]
    pub fn subgraph(&self) -> LocalSubgraph {
        self.subgraph.clone()
    }
}
