//! Puts the comments service together: a pool a shard, use cases, gRPC, schema.
//!
//! Nothing is contacted at the start: a shard is dialled when first needed, and comes back by itself.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use chassis::{
    clock::Clock,
    graphql::LocalSubgraph,
    grpc::{BeyondLoopback, ReflectionError, check_reach},
    health::Health,
    listen,
    postgres::{self, StoreError},
    principal::Verifier,
    tasks::Tasks,
};
use futures::future::try_join_all;
use sea_orm::DatabaseConnection;

use crate::{
    comment::{Comments, grpc},
    config::Config,
    metrics, schema,
    shard::{BadShardCount, Shards},
    watch,
};

/// What the comments service is given.
#[derive(Debug, Clone)]
pub struct Dependencies {
    /// The server that has the shards' databases.
    pub postgres: postgres::Config,
    /// Who checks tokens when the subgraph is served by itself.
    pub verifier: Arc<Verifier>,
    /// The time.
    pub clock: Clock,
}

/// Why the comments service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// `comments.databases` names too few or too many.
    #[error("comments.databases: {0}")]
    Shards(#[from] BadShardCount),
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

/// A running comments service.
#[derive(Debug)]
pub struct Service {
    comments: Comments,
    subgraph: LocalSubgraph,
    grpc_address: Option<SocketAddr>,
}

impl Service {
    /// Builds the service over the databases that the settings name.
    ///
    /// # Errors
    /// [`StartError`] names the setting that is wrong; an unreachable database does not stop the start.
    pub async fn start(
        config: Config,
        dependencies: Dependencies,
        tasks: &Tasks,
        health: &Health,
    ) -> Result<Self, StartError> {
        check_reach(
            "comments",
            config.grpc_listen,
            config.grpc_compat_beyond_loopback,
        )?;
        let listener = listen::bind(config.grpc_listen, "comments.grpc_listen").await?;
        let grpc_address = listener.local_addr().ok();
        let connect = config
            .databases
            .iter()
            .map(|database| postgres::connect(&dependencies.postgres, database));
        let connections: Vec<DatabaseConnection> = try_join_all(connect).await?;
        for (db, database) in connections.iter().zip(&config.databases) {
            let most = dependencies.postgres.max_connections;
            postgres::watch(db, database, most, tasks);
        }
        let shards = Arc::new(Shards::new(connections)?);
        metrics::announce();
        let over = Arc::clone(&shards);
        for shard in shards.all() {
            let clock = dependencies.clock.clone();
            idempotency::start_retention(shard.db.clone(), clock, tasks);
        }
        let service = Self::over(over, config.edit_window, dependencies.clock, tasks);
        let server = grpc::Server::new(service.comments(), &config);
        let reporter = grpc::serve(server, listener, &config, tasks)?;
        watch::start(shards, health.component("comments"), reporter, tasks);
        Ok(Self {
            grpc_address,
            ..service
        })
    }

    /// Builds the service over shards that are connected already, without a socket.
    #[must_use]
    pub fn over(shards: Arc<Shards>, edit_window: Duration, clock: Clock, tasks: &Tasks) -> Self {
        let comments = Comments::new(shards, clock, edit_window);
        let subgraph = LocalSubgraph::new("comments", schema::build(comments.clone(), tasks));
        Self {
            comments,
            subgraph,
            grpc_address: None,
        }
    }

    /// Where gRPC listens; none for a service without a socket.
    #[must_use]
    pub const fn grpc_address(&self) -> Option<SocketAddr> {
        self.grpc_address
    }

    /// The use cases, for a transport other than GraphQL.
    #[must_use]
    pub fn comments(&self) -> Comments {
        self.comments.clone()
    }

    /// The subgraph, for the router in this process or for a server of its own.
    #[must_use]
    pub fn subgraph(&self) -> LocalSubgraph {
        self.subgraph.clone()
    }
}
