//! The gRPC face over a socket, with messages numbered by hand. Source: docs/contracts.md §3.

use std::{net::SocketAddr, time::Duration};

use chassis::{
    clock::Clock,
    grpc::Tokens,
    health::Health,
    kafka,
    principal::{ServiceSigner, ServiceVerifier},
    tasks::Tasks,
};
use loms::{Config, Dependencies, Service, StartError};
use testkit::TestDatabase;
use tonic::{Code, Request, Status, client::Grpc, metadata::MetadataMap, transport::Channel};
use tonic_prost::ProstCodec;

use crate::shop::SKU;

/// What an older client has compiled in: the contract's numbers, and nothing that came later.
mod wire {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Item {
        #[prost(int64, tag = "1")]
        pub(super) sku: i64,
        #[prost(uint32, tag = "2")]
        pub(super) count: u32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Create {
        #[prost(int64, tag = "1")]
        pub(super) user: i64,
        #[prost(message, repeated, tag = "2")]
        pub(super) items: Vec<Item>,
    }

    /// Every request and answer that is one id or one number.
    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub(super) struct Number {
        #[prost(int64, tag = "1")]
        pub(super) value: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Info {
        #[prost(string, tag = "1")]
        pub(super) status: String,
        #[prost(int64, tag = "2")]
        pub(super) user: i64,
        #[prost(message, repeated, tag = "3")]
        pub(super) items: Vec<Item>,
    }
}

use wire::{Create, Info, Item, Number};

struct Server {
    address: SocketAddr,
    subgraph: chassis::graphql::LocalSubgraph,
    tasks: Tasks,
    // Dropped with the server.
    _database: TestDatabase,
}

impl Server {
    async fn start() -> Self {
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

    fn buyer(&self, id: i64) -> std::sync::Arc<chassis::principal::Principal> {
        std::sync::Arc::new(chassis::principal::Principal {
            user: Some(id.try_into().unwrap()),
            scopes: chassis::principal::Scopes::CUSTOMER,
            expires_at: chrono::DateTime::<chrono::Utc>::MAX_UTC,
            service: None,
        })
    }

    async fn channel(&self) -> Channel {
        Channel::from_shared(format!("http://{}", self.address))
            .unwrap()
            .connect()
            .await
            .unwrap()
    }

    async fn call<Q, A>(&self, method: &'static str, message: Q) -> Result<A, Status>
    where
        Q: prost::Message + Default + 'static,
        A: prost::Message + Default + 'static,
    {
        Ok(self.send(method, Request::new(message)).await?.into_inner())
    }

    async fn send<Q, A>(
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

fn http_path(method: &'static str) -> tonic::codegen::http::uri::PathAndQuery {
    tonic::codegen::http::uri::PathAndQuery::from_static(method)
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.token().cancel();
    }
}

fn config() -> Config {
    Config {
        grpc_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        ..Config::default()
    }
}

async fn start(
    database: &TestDatabase,
    config: Config,
    tasks: &Tasks,
) -> Result<Service, StartError> {
    let tokens = testkit::TestTokens::default().of_grpc();
    start_with(database, config, tokens, tasks).await
}

async fn start_with(
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

fn create(user: i64, items: &[(i64, u32)]) -> Create {
    let items = items
        .iter()
        .map(|(sku, count)| Item {
            sku: *sku,
            count: *count,
        })
        .collect();
    Create { user, items }
}

const BOTH: [[&str; 5]; 2] = [
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

#[tokio::test(flavor = "multi_thread")]
async fn both_names_of_the_service_speak_the_contract() {
    let server = Server::start().await;
    let mut free = 265;
    for [order_create, info, pay, cancel, stock] in BOTH {
        let wanted = create(31_337, &[(2_956_315, 1), (SKU, 2)]);
        let made: Number = server.call(order_create, wanted).await.unwrap();
        let id = Number { value: made.value };
        let read: Info = server.call(info, id).await.unwrap();
        assert_eq!(
            (read.status.as_str(), read.user),
            ("awaiting payment", 31_337)
        );
        let items: Vec<_> = read
            .items
            .iter()
            .map(|item| (item.sku, item.count))
            .collect();
        assert_eq!(items, [(SKU, 2), (2_956_315, 1)], "ascending by SKU");
        free -= 2;
        let left: Number = server.call(stock, Number { value: SKU }).await.unwrap();
        assert_eq!(left.value, free);
        for _ in 0..2 {
            server.call::<_, ()>(pay, id).await.unwrap();
        }
        let refused = server.call::<_, ()>(cancel, id).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        let read: Info = server.call(info, id).await.unwrap();
        assert_eq!(read.status, "paid");
    }
}

/// Source: docs/contracts.md §3, error tables.
#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_are_refused_in_the_contracts_words() {
    let server = Server::start().await;
    let [order_create, info, pay, cancel, stock] = BOTH[0];
    for (request, message) in [
        (
            create(0, &[(1, 1)]),
            "invalid OrderCreateRequest.UserId: value must be greater than 0",
        ),
        (
            create(1, &[]),
            "invalid OrderCreateRequest.Items: value must contain at least 1 item(s)",
        ),
        (
            create(1, &[(1, 1), (-1, 1)]),
            "invalid OrderCreateRequest.Items[1]: embedded message failed validation | caused by: invalid Item.Sku: value must be greater than 0",
        ),
        (
            create(1, &[(1, 0)]),
            "invalid OrderCreateRequest.Items[0]: embedded message failed validation | caused by: invalid Item.Count: value must be greater than 0",
        ),
    ] {
        let refused = server
            .call::<_, Number>(order_create, request)
            .await
            .unwrap_err();
        assert_eq!(
            (refused.code(), refused.message()),
            (Code::InvalidArgument, message)
        );
    }
    for (method, name) in [
        (info, "OrderInfoRequest.OrderId"),
        (pay, "OrderPayRequest.OrderId"),
        (cancel, "OrderCancelRequest.OrderId"),
        (stock, "StocksInfoRequest.Sku"),
    ] {
        let refused = server
            .call::<_, ()>(method, Number { value: 0 })
            .await
            .unwrap_err();
        let message = format!("invalid {name}: value must be greater than 0");
        assert_eq!(
            (refused.code(), refused.message()),
            (Code::InvalidArgument, message.as_str())
        );
        let absent = Number {
            value: 9_223_372_036_854_775_001,
        };
        let refused = server.call::<_, ()>(method, absent).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound, "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_order_is_kept_as_failed_and_its_caller_is_told() {
    let server = Server::start().await;
    let [order_create, info, pay, cancel, stock] = BOTH[0];
    let wanted = create(1, &[(SKU, 1), (139_819_069, 1)]);
    let refused = server
        .call::<_, Number>(order_create, wanted)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let read: Info = server.call(info, Number { value: 1 }).await.unwrap();
    assert_eq!(read.status, "failed");
    let left: Number = server.call(stock, Number { value: SKU }).await.unwrap();
    assert_eq!(left.value, 265);
    for method in [pay, cancel] {
        let refused = server
            .call::<_, ()>(method, Number { value: 1 })
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
    }
    let huge = create(1, &[(SKU, u32::MAX)]);
    let refused = server
        .call::<_, Number>(order_create, huge)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_over_reserved_sku_has_nothing_free() {
    let server = Server::start().await;
    let left: Number = server
        .call(BOTH[0][4], Number { value: 139_818_428 })
        .await
        .unwrap();
    assert_eq!(left.value, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_the_metadata_makes_one_order() {
    let server = Server::start().await;
    let request = |count| {
        let mut request = Request::new(create(1, &[(SKU, count)]));
        request
            .metadata_mut()
            .insert("idempotency-key", "k".parse().unwrap());
        request
    };
    let first = server
        .send::<_, Number>(BOTH[0][0], request(1))
        .await
        .unwrap();
    assert!(first.metadata().get("idempotency-replayed").is_none());
    let second = server
        .send::<_, Number>(BOTH[1][0], request(1))
        .await
        .unwrap();
    assert_eq!(
        second.metadata().get("idempotency-replayed").unwrap(),
        "true"
    );
    assert_eq!(first.into_inner(), second.into_inner());
    let other = server
        .send::<_, Number>(BOTH[0][0], request(2))
        .await
        .unwrap_err();
    assert_eq!(other.code(), Code::AlreadyExists);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_breaks_the_rule_is_an_invalid_argument_of_every_change() {
    let server = Server::start().await;
    let [order_create, _, pay, cancel, _] = BOTH[0];
    for key in ["", &"x".repeat(256)] {
        let with_key = |request: &mut MetadataMap| {
            request.insert("idempotency-key", key.parse().unwrap());
        };
        let mut create = Request::new(create(1, &[(SKU, 1)]));
        with_key(create.metadata_mut());
        let created = server.send::<_, Number>(order_create, create).await;
        let mut refusals = vec![created.unwrap_err()];
        for method in [pay, cancel] {
            let mut change = Request::new(Number { value: 1 });
            with_key(change.metadata_mut());
            refusals.push(server.send::<_, ()>(method, change).await.unwrap_err());
        }
        for refused in refusals {
            assert_eq!(
                (refused.code(), refused.message()),
                (
                    Code::InvalidArgument,
                    "invalid metadata idempotency-key: an idempotency key must have 1 to 255 characters and no NUL"
                )
            );
        }
    }
    let left: Number = server
        .call(BOTH[0][4], Number { value: SKU })
        .await
        .unwrap();
    assert_eq!(left.value, 265);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_reflection_answer() {
    use tonic_health::pb::{
        HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
    };
    let server = Server::start().await;
    let channel = server.channel().await;
    for service in ["", "loms.Loms", "Loms"] {
        let mut client = HealthClient::new(channel.clone());
        testkit::eventually("health is serving", Duration::from_secs(10), async || {
            let request = HealthCheckRequest {
                service: service.to_owned(),
            };
            let answer = client.check(request).await.ok()?;
            (answer.into_inner().status() == ServingStatus::Serving).then_some(())
        })
        .await;
    }
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = ServerReflectionClient::new(channel);
    let mut answers = client
        .server_reflection_info(futures::stream::iter([request]))
        .await
        .unwrap()
        .into_inner();
    let answer = answers
        .message()
        .await
        .unwrap()
        .unwrap()
        .message_response
        .unwrap();
    let MessageResponse::ListServicesResponse(list) = answer else {
        panic!("{answer:?}")
    };
    let names: Vec<_> = list
        .service
        .iter()
        .map(|service| service.name.as_str())
        .collect();
    assert!(
        names.contains(&"loms.Loms") && names.contains(&"Loms"),
        "{names:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_over_the_bound_is_refused() {
    let server = Server::start().await;
    let huge = create(1, &vec![(i64::MAX, 1); 100_000]);
    let refused = server
        .call::<_, Number>(BOTH[0][0], huge)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
}

/// Fails with the library's own status, `INTERNAL` with the decoder's text.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_another_is_the_clients_error() {
    let server = Server::start().await;
    let other = Info {
        status: "text where a number stands".to_owned(),
        ..Info::default()
    };
    for name in BOTH[0] {
        let refused = server.call::<_, Number>(name, other.clone()).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{name}: {refused:?}");
        assert!(!refused.message().contains("wire type"), "{refused:?}");
    }
}

/// Source: grpc/grpc, doc/health-checking.md.
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_of_an_unknown_service_says_so_and_stays_open() {
    use tonic_health::pb::{
        HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
    };
    let server = Server::start().await;
    let mut client = HealthClient::new(server.channel().await);
    let request = HealthCheckRequest {
        service: "loms.Nope".to_owned(),
    };
    let refused = client.check(request.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    let mut watch = client.watch(request).await.unwrap().into_inner();
    let first = watch.message().await.unwrap().expect("a status");
    assert_eq!(first.status(), ServingStatus::ServiceUnknown);
    let more = tokio::time::timeout(Duration::from_millis(300), watch.message()).await;
    assert!(more.is_err(), "{more:?}");
}

/// Beyond loopback a caller proves who it is. Fails with every caller taken for one of the compatibility profile.
#[tokio::test(flavor = "multi_thread")]
async fn beyond_loopback_nobody_is_believed_without_a_token() {
    let database = testkit::database(migrations::Database::Loms).await;
    loms::seed(&database.db).await.unwrap();
    let open = Config {
        grpc_listen: SocketAddr::from(([0, 0, 0, 0], 0)),
        ..Config::default()
    };
    let (issuer, folder) = (testkit::TestTokens::default(), tempfile::tempdir().unwrap());
    let clock = Clock::system();
    let cart = ServiceSigner::announce("cart", folder.path(), clock.clone()).unwrap();
    let tokens = Tokens {
        services: ServiceVerifier::new(folder.path(), clock),
        ..issuer.of_grpc()
    };
    let tasks = Tasks::new();
    let service = start_with(&database, open, tokens, &tasks).await.unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], service.grpc_address().port()));
    let loms = Server {
        address,
        subgraph: service.subgraph(),
        tasks,
        _database: database,
    };

    for method in BOTH.concat() {
        let refused = loms.call::<_, Number>(method, create(7, &[(1_076_963, 1)]));
        let refused = refused.await.unwrap_err();
        assert_eq!(
            refused.code(),
            Code::Unauthenticated,
            "{method}: {refused:?}"
        );
    }
    let (name, value) = cart.header();
    let with = |name: &'static str, value: &str, user| {
        let mut request = Request::new(create(user, &[(1_076_963, 1)]));
        request.metadata_mut().insert(name, value.parse().unwrap());
        request
    };
    let by_cart = with("x-service-token", value.to_str().unwrap(), 7);
    assert_eq!(name, "x-service-token");
    let order = loms
        .send::<_, Number>(BOTH[0][0], by_cart)
        .await
        .unwrap()
        .into_inner();

    // More than half of the 300 units: too much for a customer, and nothing to a client of the older marketplace.
    let many = |is_customer| {
        let mut request = Request::new(create(9, &[(2_618_151, 151)]));
        let metadata = request.metadata_mut();
        metadata.insert("x-service-token", value.to_str().unwrap().parse().unwrap());
        if is_customer {
            metadata.insert("x-customer", "true".parse().unwrap());
        }
        request
    };
    let refused = loms.send::<_, Number>(BOTH[0][0], many(true)).await;
    assert_eq!(refused.unwrap_err().code(), Code::FailedPrecondition);
    assert!(
        loms.send::<_, Number>(BOTH[0][0], many(false))
            .await
            .is_ok()
    );

    let bearer = format!("Bearer {}", issuer.customer(8).expose());
    let for_another = with("authorization", &bearer, 7);
    let refused = loms.send::<_, Number>(BOTH[0][0], for_another).await;
    assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    let mut of_another = Request::new(order);
    (of_another.metadata_mut()).insert("authorization", bearer.parse().unwrap());
    for method in [BOTH[0][1], BOTH[0][2], BOTH[0][3]] {
        let mut request = Request::new(*of_another.get_ref());
        *request.metadata_mut() = of_another.metadata().clone();
        let refused = loms.send::<_, Number>(method, request).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound, "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_named_with_its_setting() {
    let server = Server::start().await;
    let database = testkit::database(migrations::Database::Loms).await;
    let taken = Config {
        grpc_listen: server.address,
        ..Config::default()
    };
    let refused = start(&database, taken, &Tasks::new()).await.unwrap_err();
    assert!(
        refused.to_string().contains("loms.grpc_listen"),
        "{refused}"
    );
}

/// Cart names the prices; older clients do not, and their orders have no total.
#[tokio::test(flavor = "multi_thread")]
async fn prices_in_the_items_become_the_orders_total() {
    use async_graphql::{Request, Variables};
    use schema::proto::loms as proto;
    let server = Server::start().await;
    let item = |sku, count, unit_price| proto::Item {
        sku,
        count,
        unit_price,
    };
    for (items, total) in [
        (
            vec![item(SKU, 2, Some(3_379)), item(2_956_315, 1, Some(10))],
            Some("6768"),
        ),
        (
            vec![item(SKU, 2, Some(3_379)), item(2_956_315, 1, None)],
            None,
        ),
    ] {
        let request = proto::OrderCreateRequest { user_id: 1, items };
        let made: Number = server.call(BOTH[0][0], request).await.unwrap();
        let query = "query($id: ID!) { order(id: $id) { total { amount } lines { unitPrice { amount } } } }";
        let variables = Variables::from_json(serde_json::json!({ "id": made.value.to_string() }));
        let request = Request::new(query)
            .variables(variables)
            .data(server.buyer(1));
        let answer = serde_json::to_value(server.subgraph.execute(request).await).unwrap();
        assert_eq!(
            answer["data"]["order"]["total"]["amount"].as_str(),
            total,
            "{answer}"
        );
        assert_eq!(
            answer["data"]["order"]["lines"][0]["unitPrice"]["amount"],
            "3379"
        );
    }
    let huge = proto::OrderCreateRequest {
        user_id: 1,
        items: vec![item(SKU, 1, Some(-1))],
    };
    let refused = server
        .call::<_, Number>(BOTH[0][0], huge)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

/// Everything ends at the signal, the sweeper and the relay too.
#[tokio::test(flavor = "multi_thread")]
async fn the_service_stops_within_its_time() {
    let server = Server::start().await;
    let made: Number = server
        .call(BOTH[0][0], create(1, &[(SKU, 1)]))
        .await
        .unwrap();
    assert_eq!(made.value, 1);
    let left = server.tasks.shutdown(Duration::from_secs(10)).await;
    assert_eq!(left, Vec::<&str>::new());
}
