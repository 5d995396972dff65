//! How a service starts on its databases: a pool for each, and a probe that says whether they answer.

use std::time::Duration;

use chrono::TimeDelta;
use futures::future::{join_all, select_all};
use sea_orm::DatabaseConnection;

use crate::{
    clock::Clock,
    fault, grpc,
    health::Component,
    postgres::{self, Probe, StoreError, time::show_skew},
    tasks::Tasks,
};

/// How often databases are asked whether they answer.
const PROBE_INTERVAL: Duration = Duration::from_secs(2);
/// How far this machine's clock may be from the server's without a word.
const SKEW_LIMIT: TimeDelta = TimeDelta::seconds(30);
/// How often one that does not answer is: requests fail at once until it does.
const RETURN_INTERVAL: Duration = Duration::from_millis(250);

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
}

/// A database that is asked whether it answers.
struct Watched {
    name: String,
    probe: Probe,
    answered: bool,
    is_skewed: bool,
    is_full: bool,
}

impl Watched {
    fn new(database: Database) -> Self {
        let Database { name, pool } = database;
        Self {
            name,
            probe: Probe::new(pool, Clock::system()),
            answered: true,
            is_skewed: false,
            is_full: false,
        }
    }

    /// Asks; that it does no longer answer is logged once.
    async fn ask(&mut self) {
        let answer = self.probe.ask().await;
        if let (Err(error), true) = (&answer, self.answered) {
            let (database, error) = (&self.name, fault::chain(error));
            tracing::warn!(%database, %error, "a database does not answer");
        }
        self.answered = answer.is_ok();
        self.tell_skew();
        self.tell_room();
    }

    /// That the server's disk is full, and is no longer, is logged once each.
    fn tell_room(&mut self) {
        let is_full = self.probe.is_disk_full();
        if is_full == self.is_full {
            return;
        }
        self.is_full = is_full;
        let database = &self.name;
        if is_full {
            tracing::error!(%database, "a database's disk is full: changes are refused, reads go on");
        } else {
            tracing::info!(%database, "a database refuses no more changes for want of room");
        }
    }

    /// That the clocks differ is logged once.
    fn tell_skew(&mut self) {
        let skew = self.probe.skew();
        show_skew(&self.name, skew);
        let is_skewed = skew.abs() > SKEW_LIMIT;
        if is_skewed && !self.is_skewed {
            let (database, seconds) = (&self.name, skew.num_seconds());
            tracing::warn!(%database, seconds, "this machine's clock is wrong: Postgres's is believed");
        }
        self.is_skewed = is_skewed;
    }

    /// Waits until it should be asked again: sooner when it did not answer, and when a transaction met a broken connection.
    async fn pause(&self) {
        if self.answered {
            tokio::select! {
                () = tokio::time::sleep(PROBE_INTERVAL) => {}
                () = self.probe.suspected() => {}
            }
        } else {
            tokio::time::sleep(RETURN_INTERVAL).await;
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
    let mut watched: Vec<Watched> = databases.into_iter().map(Watched::new).collect();
    tasks.spawn("database probe", async move {
        // A question may be dropped anywhere.
        let watching = watch(&mut watched, &component, grpc.as_ref());
        token.run_until_cancelled(watching).await;
        if let Some(grpc) = &grpc {
            grpc.set(false);
        }
    });
}

async fn watch(databases: &mut [Watched], component: &Component, grpc: Option<&grpc::Reporter>) {
    let disk = component.aspect("disk");
    loop {
        join_all(databases.iter_mut().map(Watched::ask)).await;
        let is_up = databases.iter().any(|it| it.answered);
        if is_up {
            component.up();
        } else {
            component.down(silent(databases));
        }
        // The process stays ready: what only reads is served as ever.
        match full(databases) {
            Some(told) => disk.down(told),
            None => disk.up(),
        }
        if let Some(grpc) = grpc {
            grpc.set(is_up);
        }
        if databases.is_empty() {
            return;
        }
        select_all(databases.iter().map(|it| Box::pin(it.pause()))).await;
    }
}

fn full(databases: &[Watched]) -> Option<String> {
    let full = databases.iter().filter(|it| it.is_full);
    let names: Vec<&str> = full.map(|it| it.name.as_str()).collect();
    let names = (!names.is_empty()).then(|| names.join(", "))?;
    Some(format!(
        "the disk is full of the database {names}: changes are refused, reads go on"
    ))
}

fn silent(databases: &[Watched]) -> String {
    let names: Vec<&str> = databases.iter().map(|it| it.name.as_str()).collect();
    match names.as_slice() {
        [name] => format!("the database {name} does not answer"),
        names => format!("none of the databases answers: {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    #[tokio::test]
    async fn a_silent_database_is_named() {
        let nowhere = postgres::Config {
            url: "postgres://nobody@127.0.0.1:1/".to_owned().into(),
            ..postgres::Config::default()
        };
        let pool = postgres::connect(&nowhere, "x").await.unwrap();
        let database = |name: &str| {
            Watched::new(Database {
                name: name.to_owned(),
                pool: pool.clone(),
            })
        };
        assert_eq!(
            silent(&[database("loms")]),
            "the database loms does not answer"
        );
        let mut all = [database("a"), database("b")];
        assert_eq!(silent(&all), "none of the databases answers: a, b");
        assert_eq!(full(&all), None);
        all[1].is_full = true;
        let told = "the disk is full of the database b: changes are refused, reads go on";
        assert_eq!(full(&all).as_deref(), Some(told));
    }
}
