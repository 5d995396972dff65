//! A running order service, and a client with messages numbered by hand.

use std::net::SocketAddr;

use chassis::{grpc::Tokens, health::Health, kafka, tasks::Tasks};
use loms::{Config, Dependencies, Service, StartError};
use testkit::TestDatabase;
use tonic::{Request, Status, client::Grpc, transport::Channel};
use tonic_prost::ProstCodec;

/// What an older client has compiled in: the contract's numbers, and nothing that came later.
pub(super) mod wire {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(in crate::grpc) struct Item {
        #[prost(int64, tag = "1")]
        pub(in crate::grpc) sku: i64,
        #[prost(uint32, tag = "2")]
        pub(in crate::grpc) count: u32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(in crate::grpc) struct Create {
        #[prost(int64, tag = "1")]
        pub(in crate::grpc) user: i64,
        #[prost(message, repeated, tag = "2")]
        pub(in crate::grpc) items: Vec<Item>,
    }

    /// Every request and answer that is one id or one number.
    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub(in crate::grpc) struct Number {
        #[prost(int64, tag = "1")]
        pub(in crate::grpc) value: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(in crate::grpc) struct Info {
        #[prost(string, tag = "1")]
        pub(in crate::grpc) status: String,
        #[prost(int64, tag = "2")]
        pub(in crate::grpc) user: i64,
        #[prost(message, repeated, tag = "3")]
        pub(in crate::grpc) items: Vec<Item>,
    }
}

use wire::{Create, Item};

pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) subgraph: chassis::graphql::LocalSubgraph,
    pub(super) tasks: Tasks,
    // Dropped with the server.
    pub(super) _database: TestDatabase,
}

impl Server {
    pub(super) async fn start() -> Self {
        let database = testkit::database(migrations::Database::Loms).await;
        loms::seed(&database.db).await.unwrap();
        let tasks = Tasks::new();
        let service = start(&database, config(), &tasks).await.unwrap();
        Self {
            address: service.grpc_address(),
            subgraph: service.subgraph(),
            tasks,
            _database: database,
        }
    }

    pub(super) fn buyer(&self, id: i64) -> std::sync::Arc<chassis::principal::Principal> {
        std::sync::Arc::new(chassis::principal::Principal {
            user: Some(id.try_into().unwrap()),
            scopes: chassis::principal::Scopes::CUSTOMER,
            expires_at: chrono::DateTime::<chrono::Utc>::MAX_UTC,
            service: None,
        })
    }

    pub(super) async fn channel(&self) -> Channel {
        Channel::from_shared(format!("http://{}", self.address))
            .unwrap()
            .connect()
            .await
            .unwrap()
    }

    pub(super) async fn call<Q, A>(&self, method: &'static str, message: Q) -> Result<A, Status>
    where
        Q: prost::Message + Default + 'static,
        A: prost::Message + Default + 'static,
    {
        Ok(self.send(method, Request::new(message)).await?.into_inner())
    }

    pub(super) async fn send<Q, A>(
        &self,
        method: &'static str,
        request: Request<Q>,
    ) -> Result<tonic::Response<A>, Status>
    where
        Q: prost::Message + Default + 'static,
        A: prost::Message + Default + 'static,
    {
        let mut grpc = Grpc::new(self.channel().await);
        grpc.ready().await.unwrap();
        let path = http_path(method);
        grpc.unary(request, path, ProstCodec::<Q, A>::default())
            .await
    }
}

pub(super) fn http_path(method: &'static str) -> tonic::codegen::http::uri::PathAndQuery {
    tonic::codegen::http::uri::PathAndQuery::from_static(method)
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.token().cancel();
    }
}

pub(super) fn config() -> Config {
    Config {
        grpc_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        ..Config::default()
    }
}

pub(super) async fn start(
    database: &TestDatabase,
    config: Config,
    tasks: &Tasks,
) -> Result<Service, StartError> {
    let tokens = testkit::TestTokens::default().of_grpc();
    start_with(database, config, tokens, tasks).await
}

pub(super) async fn start_with(
    database: &TestDatabase,
    config: Config,
    tokens: Tokens,
    tasks: &Tasks,
) -> Result<Service, StartError> {
    let clock = chassis::clock::Clock::system();
    let dependencies = Dependencies {
        tokens,
        postgres: database.config(),
        // Nobody listens there: orders go on without a broker.
        kafka: kafka::Config {
            brokers: format!("127.0.0.1:{}", testkit::free_port()),
            ..kafka::Config::default()
        },
        clock,
    };
    Service::start_on(
        database.db.clone(),
        config,
        dependencies,
        tasks,
        &Health::new(),
    )
    .await
}

pub(super) fn create(user: i64, items: &[(i64, u32)]) -> Create {
    let items = items
        .iter()
        .map(|(sku, count)| Item {
            sku: *sku,
            count: *count,
        })
        .collect();
    Create { user, items }
}

pub(super) const BOTH: [[&str; 5]; 2] = [
    [
        "/loms.Loms/OrderCreate",
        "/loms.Loms/OrderInfo",
        "/loms.Loms/OrderPay",
        "/loms.Loms/OrderCancel",
        "/loms.Loms/StocksInfo",
    ],
    [
        "/Loms/OrderCreate",
        "/Loms/OrderInfo",
        "/Loms/OrderPay",
        "/Loms/OrderCancel",
        "/Loms/StocksInfo",
    ],
];
