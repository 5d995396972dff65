//! Puts the comments service together: a pool a shard, use cases, schema.
//!
//! Nothing is contacted at the start: a shard is dialled when first needed, and comes back by itself.

use std::{sync::Arc, time::Duration};

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
}

/// A running comments service.
#[derive(Debug)]
pub struct Service {
    comments: Comments,
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
        let connect = config
            .databases
            .iter()
            .map(|database| postgres::connect(&dependencies.postgres, database));
        let connections: Vec<DatabaseConnection> = try_join_all(connect).await?;
        let shards = Arc::new(Shards::new(connections)?);
        watch::start(Arc::clone(&shards), health.component("comments"), tasks);
        Ok(Self::over(
            shards,
            config.edit_window,
            dependencies.clock,
            tasks,
        ))
    }

    /// Builds the service over shards that are connected already.
    #[must_use]
    pub fn over(shards: Arc<Shards>, edit_window: Duration, clock: Clock, tasks: &Tasks) -> Self {
        let comments = Comments::new(shards, clock, edit_window);
        let subgraph = LocalSubgraph::new("comments", schema::build(comments.clone(), tasks));
        Self { comments, subgraph }
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
