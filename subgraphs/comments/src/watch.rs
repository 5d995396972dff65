//! Asks the shards whether they are there, for the readiness probe and for gRPC's health.
//!
//! The service is ready while any shard answers: the others' products are refused one by one, and taking the whole
//! process out would take the shard that works with it.

use std::{sync::Arc, time::Duration};

use chassis::{grpc::Reporter, health::Component, postgres::StoreError, tasks::Tasks};
use futures::future::join_all;
use sea_orm::ConnectionTrait as _;

use crate::shard::{Shard, Shards};

const INTERVAL: Duration = Duration::from_secs(2);

/// Starts the watch; it ends with the process.
pub(crate) fn start(shards: Arc<Shards>, component: Component, reporter: Reporter, tasks: &Tasks) {
    let token = tasks.token();
    let drained = reporter.clone();
    let watch = async move {
        loop {
            let is_serving = report(&shards, &component).await;
            reporter.set(is_serving).await;
            tokio::time::sleep(INTERVAL).await;
        }
    };
    tasks.spawn("comments shard watch", async move {
        // `report` only reads, so it may be dropped anywhere.
        token.run_until_cancelled(watch).await;
        drained.set(false).await;
    });
}

async fn report(shards: &Shards, component: &Component) -> bool {
    let answers = join_all(shards.all().map(ask)).await;
    let any = answers.iter().any(|answer| *answer);
    if any {
        component.up();
    } else {
        component.down("no shard answers");
    }
    any
}

async fn ask(shard: &Shard) -> bool {
    match shard
        .db
        .execute_unprepared("SELECT 1")
        .await
        .map_err(StoreError::from)
    {
        Ok(_) => true,
        Err(error) => {
            tracing::warn!(shard = shard.index.get(), error = %chassis::fault::chain(&error), "a shard does not answer");
            false
        }
    }
}
