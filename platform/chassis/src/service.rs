//! How a service starts on its databases: a pool for each, and a probe that says whether they answer.

use std::time::Duration;

use futures::future::join_all;
use sea_orm::DatabaseConnection;

use crate::{
    fault, grpc,
    health::Component,
    postgres::{self, StoreError},
    tasks::Tasks,
};

/// How often databases are asked whether they answer.
const PROBE_INTERVAL: Duration = Duration::from_secs(2);

/// One database of a service.
#[derive(Debug, Clone)]
pub struct Database {
    /// Its name on the server.
    pub name: String,
    /// The pool.
    pub pool: DatabaseConnection,
}

impl Database {
    /// Makes the pool of a database and shows its figures until the tasks' token. Nothing is contacted yet: the pool
    /// dials when first used, and comes back by itself.
    ///
    /// # Errors
    /// [`StoreError`] when the configured URL is not one.
    pub async fn open(
        config: &postgres::Config,
        name: &str,
        tasks: &Tasks,
    ) -> Result<Self, StoreError> {
        let pool = postgres::connect(config, name).await?;
        postgres::watch(&pool, name, config.max_connections, tasks);
        let name = name.to_owned();
        Ok(Self { name, pool })
    }

    /// Whether it answers; that it does no longer is logged once.
    async fn answers(&self, did_answer: bool) -> bool {
        match self.pool.ping().await.map_err(StoreError::from) {
            Ok(()) => true,
            Err(error) => {
                let (database, error) = (&self.name, fault::chain(&error));
                if did_answer {
                    tracing::warn!(%database, %error, "a database does not answer");
                }
                false
            }
        }
    }
}

/// Asks the databases at intervals whether they answer, and tells readiness and gRPC's health, until the tasks' token.
///
/// The service is up while any of them answers: taking the whole process out would take the ones that work with it.
pub fn start_probe(
    databases: Vec<Database>,
    component: Component,
    grpc: Option<grpc::Reporter>,
    tasks: &Tasks,
) {
    let token = tasks.token();
    tasks.spawn("database probe", async move {
        let mut ticks = tokio::time::interval(PROBE_INTERVAL);
        let mut answered = vec![true; databases.len()];
        while token.run_until_cancelled(ticks.tick()).await.is_some() {
            let asked = databases.iter().zip(&answered);
            let answers = join_all(asked.map(|(database, did)| database.answers(*did)));
            // A question may be dropped anywhere.
            let Some(answers) = token.run_until_cancelled(answers).await else {
                break;
            };
            answered = answers;
            let is_up = answered.contains(&true);
            if is_up {
                component.up();
            } else {
                component.down(silent(&databases));
            }
            if let Some(grpc) = &grpc {
                grpc.set(is_up).await;
            }
        }
        if let Some(grpc) = &grpc {
            grpc.set(false).await;
        }
    });
}

fn silent(databases: &[Database]) -> String {
    let names: Vec<&str> = databases.iter().map(|it| it.name.as_str()).collect();
    match names.as_slice() {
        [name] => format!("the database {name} does not answer"),
        names => format!("none of the databases answers: {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn a_silent_database_is_named() {
        let database = |name: &str| Database {
            name: name.to_owned(),
            pool: DatabaseConnection::default(),
        };
        assert_eq!(
            silent(&[database("loms")]),
            "the database loms does not answer"
        );
        let all = [database("a"), database("b")];
        assert_eq!(silent(&all), "none of the databases answers: a, b");
    }
}
