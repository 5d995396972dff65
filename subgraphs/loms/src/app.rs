//! Puts the order service together: pool, use cases, relay, sweeper, gRPC, schema.
//!
//! Neither database nor broker is needed at the start: the pool dials when first used, and what is away comes back by
//! itself. At the tasks' token gRPC finishes its calls, and sweeper and relay end with what they hold.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use chassis::{
    clock::Clock,
    graphql::LocalSubgraph,
    grpc::{BeyondLoopback, ReflectionError, Reporter, check_reach},
    health::{Component, Health},
    kafka, listen,
    postgres::{self, StoreError},
    principal::Verifier,
    tasks::Tasks,
};
use sea_orm::{ConnectionTrait as _, DatabaseConnection};

use crate::{config::Config, grpc, metrics, order::Orders, schema, stock::Stocks};

/// The database's name on the server.
const DATABASE: &str = "loms";
/// How often the database is asked whether it answers.
const PROBE_INTERVAL: Duration = Duration::from_secs(2);

/// What the order service is given.
#[derive(Debug, Clone)]
pub struct Dependencies {
    /// The server that has the database `loms`.
    pub postgres: postgres::Config,
    /// The broker that the relay sends to.
    pub kafka: kafka::Config,
    /// Who checks tokens when the subgraph is served by itself.
    pub verifier: Arc<Verifier>,
    /// The time.
    pub clock: Clock,
}

/// Why the order service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database's settings are wrong.
    #[error(transparent)]
    Postgres(#[from] StoreError),
    /// gRPC cannot listen.
    #[error(transparent)]
    Listen(#[from] listen::Error),
    /// gRPC takes the user from the call, so it must not be reachable from elsewhere by accident.
    #[error(transparent)]
    BeyondLoopback(#[from] BeyondLoopback),
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
    /// [`StartError`] names the setting that is wrong; an unreachable database or broker does not stop the start.
    pub async fn start(
        config: Config,
        dependencies: Dependencies,
        tasks: &Tasks,
        health: &Health,
    ) -> Result<Self, StartError> {
        let db = postgres::connect(&dependencies.postgres, DATABASE).await?;
        postgres::watch(&db, DATABASE, dependencies.postgres.max_connections, tasks);
        Self::start_on(db, config, dependencies, tasks, health).await
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
        let is_allowed = config.grpc_compat_beyond_loopback;
        check_reach("loms", config.grpc_listen, is_allowed)?;
        let Dependencies { kafka, clock, .. } = dependencies;
        let listener = listen::bind(config.grpc_listen, "loms.grpc_listen").await?;
        let grpc_address = listener.local_addr().unwrap_or(config.grpc_listen);
        let relay_config = config.relay.clone();
        let relay = outbox::Relay::start(
            relay_config,
            db.clone(),
            kafka,
            clock.clone(),
            tasks,
            health,
        );
        idempotency::start_retention(db.clone(), clock.clone(), tasks);
        let orders = Orders::new(db.clone(), clock.clone(), Some(relay), config.order_ttl);
        let orders = match config.group_commit {
            true => orders.grouped(config.group_queue, tasks),
            false => orders,
        };
        let stocks = Stocks::new(db.clone(), clock);
        orders.start_expiry(config.expiry_interval, config.expiry_batch, tasks);
        let server = grpc::Server::new(orders.clone(), stocks.clone(), &config);
        let reporter = grpc::serve(server, listener, &config, tasks)?;
        metrics::announce();
        start_probe(db, reporter, health.component("loms-postgres"), tasks);
        let subgraph = schema::subgraph(orders, stocks, tasks);
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

/// Asks the database at intervals and tells readiness and gRPC's health.
fn start_probe(db: DatabaseConnection, reporter: Reporter, component: Component, tasks: &Tasks) {
    let token = tasks.token();
    tasks.spawn("loms probe", async move {
        let mut ticks = tokio::time::interval(PROBE_INTERVAL);
        while token.run_until_cancelled(ticks.tick()).await.is_some() {
            let answer = db.execute_unprepared("select 1").await;
            match &answer {
                Ok(_) => component.up(),
                Err(error) => {
                    component.down("the database `loms` does not answer");
                    tracing::debug!(%error, "probe");
                }
            }
            reporter.set(answer.is_ok()).await;
        }
        reporter.set(false).await;
    });
}
