//! A comments service over two databases of the test's own, with a clock that stands still.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chassis::{
    clock::Clock,
    config::Secret,
    graphql::LocalSubgraph,
    health::Health,
    postgres,
    principal::{Principal, Scopes},
    tasks::Tasks,
};
use chrono::{DateTime, TimeDelta};
use comments::{
    Config, Dependencies, Service,
    comment::{Comment, Comments, Error, PageRequest, Text},
    shard::Shards,
};
use schema::id::{CommentId, Sku, UserId};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, Statement};
use testkit::TestDatabase;

pub(crate) const EDIT_WINDOW: Duration = Duration::from_secs(15 * 60);
pub(crate) const PAGE: PageRequest = PageRequest {
    first: 100,
    after: None,
};

pub(crate) fn user(id: i64) -> UserId {
    id.try_into().unwrap()
}

pub(crate) fn sku(id: i64) -> Sku {
    id.try_into().unwrap()
}

pub(crate) fn id(id: i64) -> CommentId {
    id.try_into().unwrap()
}

pub(crate) fn text(text: &str) -> Text {
    text.to_owned().try_into().unwrap()
}

/// The service under test.
#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) comments: Comments,
    pub(crate) subgraph: LocalSubgraph,
    pub(crate) clock: Clock,
    statements: Arc<AtomicUsize>,
    // Dropped with the shop: the databases go, and so do the service's tasks.
    databases: Vec<TestDatabase>,
    tasks: Tasks,
}

impl Shop {
    /// Both shards are up.
    pub(crate) async fn open() -> Self {
        let databases = vec![
            testkit::database(migrations::Database::Comments).await,
            testkit::database(migrations::Database::Comments).await,
        ];
        Self::over(databases, Vec::new()).await
    }

    /// The second shard, that of odd SKUs, is nowhere.
    pub(crate) async fn with_second_shard_down() -> Self {
        let databases = vec![testkit::database(migrations::Database::Comments).await];
        let nowhere = postgres::Config {
            url: Secret::new(format!(
                "postgres://nobody@127.0.0.1:{}/",
                testkit::free_port()
            )),
            acquire_timeout: Duration::from_millis(500),
            ..postgres::Config::default()
        };
        let down = postgres::connect(&nowhere, "comments_1").await.unwrap();
        Self::over(databases, vec![down]).await
    }

    async fn over(databases: Vec<TestDatabase>, more: Vec<DatabaseConnection>) -> Self {
        let clock = Clock::manual(DateTime::from_timestamp(1_700_000_000, 0).unwrap());
        let statements = Arc::new(AtomicUsize::new(0));
        let mut connections: Vec<_> = databases
            .iter()
            .map(|database| database.db.clone())
            .chain(more)
            .collect();
        for connection in &mut connections {
            let statements = Arc::clone(&statements);
            connection.set_metric_callback(move |_| {
                statements.fetch_add(1, Ordering::Relaxed);
            });
        }
        let tasks = Tasks::new();
        let shards = Arc::new(Shards::new(connections).unwrap());
        let config = Config {
            edit_window: EDIT_WINDOW,
            ..Config::default()
        };
        let service = Service::over(shards, &config, clock.clone(), &tasks);
        let (comments, subgraph) = (service.comments(), service.subgraph());
        Self {
            comments,
            subgraph,
            clock,
            statements,
            databases,
            tasks,
        }
    }

    pub(crate) async fn add(&self, author: i64, product: i64, said: &str) -> Comment {
        self.comments
            .add(user(author), sku(product), text(said), None)
            .await
            .unwrap()
            .value
    }

    pub(crate) async fn edit(
        &self,
        editor: i64,
        id: CommentId,
        said: &str,
    ) -> Result<Comment, Error> {
        let answered = self
            .comments
            .edit(user(editor), id, text(said), None)
            .await?;
        Ok(answered.value)
    }

    /// Runs a statement on the first shard, the one of even SKUs.
    pub(crate) async fn execute<const N: usize>(&self, sql: &str, values: [sea_orm::Value; N]) {
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
        self.databases[0].db.execute_raw(statement).await.unwrap();
    }

    /// Statements sent to any shard until now.
    pub(crate) fn statements(&self) -> usize {
        self.statements.load(Ordering::Relaxed)
    }

    /// What a transport puts into a request of `id`.
    pub(crate) fn principal(&self, id: i64) -> Arc<Principal> {
        let expires_at = self.clock.now() + TimeDelta::hours(1);
        Arc::new(Principal {
            user: Some(user(id)),
            scopes: Scopes::CUSTOMER,
            expires_at,
            service: None,
        })
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.tasks.token().cancel();
        tracing::debug!(databases = self.databases.len(), "shop closed");
    }
}

/// The settings lead to the databases that they name, and the probe turns ready.
#[tokio::test]
async fn a_started_service_is_ready_once_a_shard_answers() {
    let database = testkit::database(migrations::Database::Comments).await;
    let (tasks, health) = (Tasks::new(), Health::new());
    let config = Config {
        databases: vec![database.name.clone(), "no_such_database".to_owned()],
        grpc_listen: ([127, 0, 0, 1], 0).into(),
        ..Config::default()
    };
    let dependencies = Dependencies {
        tokens: testkit::TestTokens::default().of_grpc(),
        postgres: database.config(),
        clock: Clock::system(),
    };
    let service = Service::start(config, dependencies, &tasks, &health)
        .await
        .unwrap();
    let limit = Duration::from_secs(10);
    testkit::eventually("readiness", limit, async || health.is_ready().then_some(())).await;
    assert_eq!(service.subgraph().name(), "comments");
    assert!(tasks.shutdown(Duration::from_secs(5)).await.is_empty());
}
