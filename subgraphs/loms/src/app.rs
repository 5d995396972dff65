//! Puts the order service together: pool, use cases, relay, sweeper, gRPC, schema.
//!
//! Neither database nor broker is needed at the start: the pool dials when first used, and what is away comes back by
//! itself. At the tasks' token gRPC finishes its calls, and sweeper and relay end with what they hold.

use std::{net::SocketAddr, time::Duration};

use ::schema::event::STOCK_TOPIC;
use catalogue::{Products, SetupError};
use chassis::{
    clock::Clock,
    graphql::LocalSubgraph,
    grpc::{ReflectionError, Tokens},
    health::Health,
    kafka, listen,
    postgres::{self, StoreError},
    service::{self, Database},
    tasks::Tasks,
};
use sea_orm::DatabaseConnection;

use crate::{
    config::Config, grpc, metrics, order::Orders, order_events::OrderEvents, schema, stock::Stocks,
};

/// The database's name on the server.
const DATABASE: &str = "loms";

/// What the order service is given.
#[derive(Debug, Clone)]
pub struct Dependencies {
    /// The server that has the database `loms`.
    pub postgres: postgres::Config,
    /// The broker that the relay sends to.
    pub kafka: kafka::Config,
    /// What the tokens of gRPC's callers are checked by.
    pub tokens: Tokens,
    /// The time.
    pub clock: Clock,
}

/// Why the order service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database's settings are wrong.
    #[error(transparent)]
    Postgres(#[from] StoreError),
    /// The product client's settings are wrong.
    #[error(transparent)]
    Product(#[from] SetupError),
    /// gRPC cannot listen, or other machines would reach it by accident.
    #[error(transparent)]
    Listen(#[from] listen::Error),
    /// The reflection service cannot read the descriptors.
    #[error("gRPC reflection: {0}")]
    Reflection(#[from] ReflectionError),
}

/// A running order service.
#[derive(Debug)]
pub struct Service {
    subgraph: LocalSubgraph,
    grpc_address: SocketAddr,
}

impl Service {
    /// Starts the service over the database `loms` of the server.
    ///
    /// # Errors
    /// [`StartError`] names the setting that is wrong; an unreachable database, broker or product service does not stop the start.
    pub async fn start(
        config: Config,
        dependencies: Dependencies,
        tasks: &Tasks,
        health: &Health,
    ) -> Result<Self, StartError> {
        let mut postgres = dependencies.postgres.clone();
        if config.group_commit {
            postgres.lock_timeout = config.lock_timeout;
        }
        let database = Database::open(&postgres, DATABASE, tasks).await?;
        Self::start_on(database.pool, config, dependencies, tasks, health).await
    }

    /// Starts the service over a pool that the caller made.
    ///
    /// # Errors
    /// As [`Service::start`].
    pub async fn start_on(
        db: DatabaseConnection,
        config: Config,
        dependencies: Dependencies,
        tasks: &Tasks,
        health: &Health,
    ) -> Result<Self, StartError> {
        let Dependencies {
            kafka,
            tokens,
            clock,
            postgres,
        } = dependencies;
        let products = Products::connect(&config.catalogue())?;
        let listener = grpc::listen(&config).await?;
        let grpc_address = listener.local_addr().unwrap_or(config.grpc_listen);
        let relay_config = config.relay.clone();
        let relay = outbox::Relay::start(
            relay_config,
            db.clone(),
            kafka.clone(),
            &[STOCK_TOPIC],
            clock.clone(),
            tasks,
            health,
        );
        idempotency::start_retention(db.clone(), clock.clone(), tasks);
        let orders = Orders::new(
            db.clone(),
            clock.clone(),
            Some(relay.clone()),
            config.order_ttl,
        )
        .limited(config.limits());
        let orders = if config.group_commit {
            orders.grouped(config.group_queue, config.call_timeout, tasks)
        } else {
            orders
        };
        // A group is given up a second after a statement's time, and may be tried once more without those who wait.
        let standstill = 2 * (postgres.statement_timeout + Duration::from_secs(1));
        orders.watch(standstill, health.component("order-groups"), tasks);
        let stocks = Stocks::new(db.clone(), clock.clone()).announcing(relay);
        orders.start_expiry(config.expiry_interval, config.expiry_batch, tasks);
        let events = OrderEvents::new(&config, kafka, orders.clone(), clock.clone(), tasks);
        let server = grpc::Server::new(orders.clone(), stocks.clone(), products.clone(), events);
        let reporter = grpc::serve(server, listener, tokens, &config, clock, tasks)?;
        metrics::announce();
        let component = health.component("loms-postgres");
        let database = Database {
            name: DATABASE.to_owned(),
            pool: db,
        };
        service::start_probe(vec![database], component, Some(reporter), tasks);
        let subgraph = schema::subgraph(orders, stocks, products, tasks);
        Ok(Self {
            subgraph,
            grpc_address,
        })
    }

    /// The subgraph, for the router in this process or for a server of its own.
    #[must_use]
    pub fn subgraph(&self) -> LocalSubgraph {
        self.subgraph.clone()
    }

    /// Where gRPC listens.
    #[must_use]
    pub const fn grpc_address(&self) -> SocketAddr {
        self.grpc_address
    }
}
