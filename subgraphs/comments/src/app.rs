//! Puts the comments service together: a pool a shard, use cases, gRPC, schema.
//!
//! Nothing is contacted at the start: a shard is dialled when first needed, and comes back by itself.

use std::{net::SocketAddr, sync::Arc};

use chassis::{
    clock::Clock,
    graphql::LocalSubgraph,
    grpc::{ReflectionError, Tokens},
    health::Health,
    listen,
    postgres::{self, StoreError},
    service::{self, Database},
    tasks::Tasks,
};
use futures::future::try_join_all;

use crate::{
    comment::{Comments, grpc},
    config::Config,
    metrics, schema,
    shard::{BadShardCount, Shards},
};

/// What the comments service is given.
#[derive(Debug, Clone)]
pub struct Dependencies {
    /// The server that has the shards' databases.
    pub postgres: postgres::Config,
    /// What the tokens of gRPC's callers are checked by.
    pub tokens: Tokens,
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
    /// gRPC cannot listen, or other machines would reach it by accident.
    #[error(transparent)]
    Listen(#[from] listen::Error),
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
        let listener = grpc::listen(&config).await?;
        let grpc_address = listener.local_addr().ok();
        let names = config.databases.iter();
        let opened = names.map(|name| Database::open(&dependencies.postgres, name, tasks));
        let databases = try_join_all(opened).await?;
        let pools = databases.iter().map(|it| it.pool.clone()).collect();
        let shards = Arc::new(Shards::new(pools)?);
        metrics::announce();
        let over = Arc::clone(&shards);
        for shard in shards.all() {
            let clock = dependencies.clock.clone();
            idempotency::start_retention(shard.db.clone(), clock, tasks);
        }
        let clock = dependencies.clock;
        let service = Self::over(over, &config, clock.clone(), tasks);
        let server = grpc::Server::new(service.comments());
        let reporter = grpc::serve(server, listener, dependencies.tokens, &config, clock, tasks)?;
        let component = health.component("comments");
        service::start_probe(databases, component, Some(reporter), tasks);
        Ok(Self {
            grpc_address,
            ..service
        })
    }

    /// Builds the service over shards that are connected already, without a socket.
    #[must_use]
    pub fn over(shards: Arc<Shards>, config: &Config, clock: Clock, tasks: &Tasks) -> Self {
        let comments = Comments::new(shards, clock, config);
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
