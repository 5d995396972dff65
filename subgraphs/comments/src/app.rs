//! Puts the comments service together: a pool a shard, use cases, schema.
//!
//! Nothing is contacted at the start: a shard is dialled when first needed, and comes back by itself.

use std::sync::Arc;

use chassis::{
    clock::Clock,
    graphql::LocalSubgraph,
    health::Health,
    postgres::{self, StoreError},
    principal::Verifier,
    tasks::Tasks,
};
use futures::future::try_join_all;
use sea_orm::DatabaseConnection;

use crate::{
    comment::Comments,
    config::Config,
    schema,
    shard::{BadShardCount, Shards},
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
}

/// A running comments service.
#[derive(Debug)]
pub struct Service {
    subgraph: LocalSubgraph,
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
        let connect = config.databases.iter().map(|database| postgres::connect(&dependencies.postgres, database));
        let connections: Vec<DatabaseConnection> = try_join_all(connect).await?;
        let shards = Shards::new(connections)?;
        let comments = Comments::new(shards, dependencies.clock, config.edit_window);
        let subgraph = LocalSubgraph::new("comments", schema::build(comments, tasks));
        Ok(Self { subgraph })
    }

    /// The subgraph, for the router in this process or for a server of its own.
    #[must_use]
    pub fn subgraph(&self) -> LocalSubgraph {
        self.subgraph.clone()
    }
}
