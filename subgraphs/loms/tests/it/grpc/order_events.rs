//! Order events over gRPC, from a real broker. Source: docs/contracts.md §3.

use std::time::Duration;

use chassis::{clock::Clock, health::Health, kafka, tasks::Tasks};
use loms::{Config, Dependencies, Service};
use schema::proto::loms::{
    Item, OrderCreateRequest, OrderEvent, OrderEventsRequest, OrderPayRequest,
    loms_client::LomsClient, order_event::Kind, order_events_request::Scope,
};
use testkit::{TestDatabase, TestTokens};
use tonic::{Code, Request, Status, Streaming, transport::Channel};

use super::server::config;

const SKU: i64 = 2_618_151;
const LIMIT: Duration = Duration::from_secs(20);

/// A database and a topic, which outlive the services over them.
struct World {
    database: TestDatabase,
    kafka: kafka::Config,
    issuer: TestTokens,
    clock: Clock,
}

/// A running service, and a client of it.
struct Loms {
    client: LomsClient<Channel>,
    tasks: Tasks,
}

impl World {
    async fn new() -> Self {
        let database = testkit::database(migrations::Database::Loms).await;
        loms::seed(&database.db).await.unwrap();
        let clock = Clock::manual(Clock::system().now());
        Self {
            database,
            kafka: kafka::Config {
                brokers: testkit::kafka().await.to_owned(),
                topic: testkit::topic(2).await,
                ..kafka::Config::default()
            },
            issuer: TestTokens::new(clock.clone()),
            clock,
        }
    }

    async fn start(&self, config: Config) -> Loms {
        let tasks = Tasks::new();
        let dependencies = Dependencies {
            tokens: self.issuer.of_grpc(),
            postgres: self.database.config(),
            kafka: self.kafka.clone(),
            clock: self.clock.clone(),
        };
        let db = self.database.db.clone();
        let service = Service::start_on(db, config, dependencies, &tasks, &Health::new()).await;
        let address = format!("http://{}", service.unwrap().grpc_address());
        let client = LomsClient::connect(address).await.unwrap();
        Loms { client, tasks }
    }

    /// A request in the name of a user.
    fn of<M>(&self, user: i64, message: M) -> Request<M> {
        let mut request = Request::new(message);
        let bearer = format!("Bearer {}", self.issuer.customer(user).expose());
        let bearer = bearer.parse().unwrap();
        request.metadata_mut().insert("authorization", bearer);
        request
    }
}

impl Loms {
    async fn create(&mut self, user_id: i64) -> i64 {
        let item = Item {
            sku: SKU,
            count: 1,
            unit_price: None,
        };
        let items = vec![item];
        let request = OrderCreateRequest { user_id, items };
        let created = self.client.order_create(request).await.unwrap();
        created.into_inner().order_id
    }

    async fn pay(&mut self, order_id: i64) {
        let request = OrderPayRequest { order_id };
        self.client.order_pay(request).await.unwrap();
    }

    /// Opens a stream, as soon as the log can be read.
    async fn follow(&mut self, request: OrderEventsRequest) -> Stream {
        testkit::eventually("a stream", LIMIT, async || {
            match self.client.order_events(request.clone()).await {
                Ok(opened) => Some(Stream::of(opened)),
                Err(status) if status.code() == Code::Unavailable => None,
                Err(status) => panic!("{status:?}"),
            }
        })
        .await
    }

    async fn refusal(&mut self, request: Request<OrderEventsRequest>) -> Status {
        let opened = self.client.order_events(request).await;
        opened.map(drop).expect_err("it is refused")
    }
}

/// An open stream, and the place that its head names.
struct Stream {
    events: Streaming<OrderEvent>,
    begin: Option<String>,
}

impl Stream {
    fn of(opened: tonic::Response<Streaming<OrderEvent>>) -> Self {
        let begin = opened.metadata().get("x-cursor");
        Self {
            begin: begin.map(|it| it.to_str().unwrap().to_owned()),
            events: opened.into_inner(),
        }
    }

    async fn message(&mut self) -> Result<Option<OrderEvent>, Status> {
        let message = tokio::time::timeout(LIMIT, self.events.message());
        message.await.expect("an answer in time")
    }

    async fn next(&mut self) -> OrderEvent {
        self.message().await.unwrap().expect("the stream goes on")
    }

    /// The next `count` events as (order, version), and the place behind them.
    async fn take(&mut self, count: usize) -> (Vec<(i64, u32)>, String) {
        let (mut taken, mut cursor) = (Vec::new(), String::new());
        while taken.len() < count {
            let event = self.next().await;
            assert_eq!(event.kind(), Kind::Change, "{event:?}");
            taken.push((event.order_id, event.version));
            cursor = event.cursor;
        }
        taken.sort_unstable();
        (taken, cursor)
    }
}

fn orders_of(user: i64) -> OrderEventsRequest {
    OrderEventsRequest {
        scope: Some(Scope::UserId(user)),
        cursor: String::new(),
    }
}

fn order(order: i64) -> OrderEventsRequest {
    OrderEventsRequest {
        scope: Some(Scope::OrderId(order)),
        cursor: String::new(),
    }
}

fn behind(cursor: &str, request: OrderEventsRequest) -> OrderEventsRequest {
    OrderEventsRequest {
        cursor: cursor.to_owned(),
        ..request
    }
}

/// The version in the cursor is what keeps the snapshot's own events from coming again.
#[tokio::test(flavor = "multi_thread")]
async fn one_order_begins_with_its_state_and_goes_on_with_what_that_did_not_show() {
    let world = World::new().await;
    let mut loms = world.start(config()).await;
    let id = loms.create(7).await;
    let mut stream = loms.follow(order(id)).await;
    let begin = stream.begin.clone().expect("a place before the state");
    let shown = stream.next().await;
    assert_eq!(shown.kind(), Kind::Snapshot);
    let state = (
        shown.order_id,
        shown.user_id,
        shown.version,
        shown.status.as_str(),
    );
    assert_eq!(state, (id, 7, 2, "awaiting payment"));
    assert!(shown.moment.ends_with('Z'), "{shown:?}");

    loms.pay(id).await;
    let paid = stream.next().await;
    let change = (
        paid.kind(),
        paid.order_id,
        paid.user_id,
        paid.version,
        paid.status.as_str(),
    );
    assert_eq!(change, (Kind::Change, id, 7, 3, "paid"));
    let mut again = loms.follow(behind(&shown.cursor, order(id))).await;
    assert_eq!(again.take(1).await.0, [(id, 3)], "no version twice");
    let mut anew = loms.follow(behind(&begin, order(id))).await;
    let shown = anew.next().await;
    let state = (shown.kind(), shown.version);
    assert_eq!(
        state,
        (Kind::Snapshot, 3),
        "who was shown nothing is shown it"
    );
}

/// Nothing is lost and nothing comes twice, whichever process is asked next: the one that follows knows nothing of the first.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_in_the_next_process_where_the_first_was_stopped() {
    let world = World::new().await;
    let mut first = world.start(config()).await;
    let mut stream = first.follow(orders_of(7)).await;
    let begin = stream
        .begin
        .clone()
        .expect("a place before the first event");
    let (a, foreign) = (first.create(7).await, first.create(8).await);
    let (taken, seen) = stream.take(2).await;
    assert_eq!(taken, [(a, 1), (a, 2)]);

    first.tasks.token().cancel();
    let end = stream.message().await.expect_err("the service stops");
    assert_eq!(end.code(), Code::Unavailable, "{end:?}");
    let told = end.metadata().get("x-cursor").expect("where to go on");
    let told = told.to_str().unwrap().to_owned();
    first.tasks.shutdown(LIMIT).await;

    let mut second = world.start(config()).await;
    let b = second.create(7).await;
    second.pay(a).await;
    let rest = [(a, 3), (b, 1), (b, 2)];
    for cursor in [&seen, &told] {
        let mut stream = second.follow(behind(cursor, orders_of(7))).await;
        assert_eq!(stream.take(3).await.0, rest, "behind {cursor}");
    }
    let mut all = second.follow(behind(&begin, orders_of(7))).await;
    assert_eq!(all.take(5).await.0, [&taken[..], &rest].concat());
    let mut everybody = second
        .follow(behind(&begin, OrderEventsRequest::default()))
        .await;
    let (everything, _) = everybody.take(7).await;
    assert!(everything.contains(&(foreign, 2)), "{everything:?}");
}

/// Foreign and absent look the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_reads_no_order_of_another() {
    let world = World::new().await;
    let mut loms = world.start(config()).await;
    let foreign = loms.create(8).await;
    // The log can be read from here on.
    drop(loms.follow(orders_of(8)).await);
    let hidden = loms.refusal(world.of(7, order(foreign))).await;
    let absent = loms.refusal(world.of(7, order(999_999))).await;
    assert_eq!(hidden.code(), Code::NotFound);
    assert_eq!(
        (hidden.code(), hidden.message()),
        (absent.code(), absent.message())
    );
    for request in [orders_of(8), OrderEventsRequest::default()] {
        let refused = loms.refusal(world.of(7, request)).await;
        assert_eq!(refused.code(), Code::PermissionDenied);
    }
    let mut request = world.of(7, orders_of(7));
    request
        .metadata_mut()
        .insert("authorization", "Bearer nonsense".parse().unwrap());
    assert_eq!(loms.refusal(request).await.code(), Code::Unauthenticated);

    let opened = loms.client.order_events(world.of(7, orders_of(7))).await;
    let mut mine = Stream::of(opened.unwrap());
    loms.create(8).await;
    let id = loms.create(7).await;
    assert_eq!(mine.take(2).await.0, [(id, 1), (id, 2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_is_none_is_refused_and_one_of_another_topic_is_a_gap() {
    let world = World::new().await;
    let mut loms = world.start(config()).await;
    let id = loms.create(7).await;
    for cursor in ["x", "%%%", "AQAAAAAAAAAAAAAAAAAAAAAA.", "null"] {
        let refused = loms
            .refusal(Request::new(behind(cursor, orders_of(7))))
            .await;
        assert_eq!(refused.code(), Code::InvalidArgument, "{cursor}");
        assert!(refused.message().contains("OrderEventsRequest.Cursor"));
    }
    for scope in [Scope::OrderId(0), Scope::UserId(-1)] {
        let request = OrderEventsRequest {
            scope: Some(scope),
            cursor: String::new(),
        };
        let refused = loms.refusal(Request::new(request)).await;
        assert_eq!(refused.code(), Code::InvalidArgument);
    }

    // A place far behind the end of this topic: format 1, the nil epoch, one partition, offset 16383.
    let beyond = "AQAAAAAAAAAAAAAAAAAAAAAB_38";
    let mut stream = loms.follow(behind(beyond, orders_of(7))).await;
    let gap = stream.next().await;
    let expected = OrderEvent {
        kind: Kind::Gap.into(),
        cursor: gap.cursor.clone(),
        ..OrderEvent::default()
    };
    assert_eq!(gap, expected);
    loms.pay(id).await;
    let mut again = loms.follow(behind(&gap.cursor, orders_of(7))).await;
    // The gap may have come before the order's own events.
    let mut versions = Vec::new();
    while versions.last() != Some(&3) {
        let (taken, _) = again.take(1).await;
        versions.push(taken[0].1);
    }
    assert!([1, 2, 3].ends_with(&versions), "{versions:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_has_so_many_streams_open_and_one_more_once_one_has_ended() {
    let world = World::new().await;
    let one = Config {
        order_streams_per_caller_max: 1,
        ..config()
    };
    let mut loms = world.start(one).await;
    let stream = loms.follow(orders_of(7)).await;
    let refused = loms.refusal(Request::new(orders_of(7))).await;
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(refused.metadata().contains_key("grpc-retry-pushback-ms"));
    let why = refused.message();
    assert!(
        why.contains("1 streams") && why.contains("loms.order_streams_per_caller_max"),
        "{why}"
    );
    let other = loms.client.order_events(world.of(7, orders_of(7))).await;
    assert!(other.is_ok(), "a user's streams are not its address's");
    drop(stream);
    testkit::eventually("the place is free again", LIMIT, async || {
        loms.client.order_events(orders_of(7)).await.ok().map(drop)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_the_token_of_its_reader_and_says_where_to_go_on() {
    let world = World::new().await;
    // Or the order would be cancelled when the clock jumps.
    let order_ttl = Duration::ZERO;
    let for_ever = Config {
        order_ttl,
        ..config()
    };
    let mut loms = world.start(for_ever).await;
    drop(loms.follow(orders_of(7)).await);
    let opened = loms.client.order_events(world.of(7, orders_of(7))).await;
    let mut stream = Stream::of(opened.unwrap());
    let id = loms.create(7).await;
    let (_, seen) = stream.take(2).await;
    world.clock.advance(Duration::from_secs(3_600));
    let end = stream.message().await.expect_err("the token has ended");
    assert_eq!(end.code(), Code::Unauthenticated, "{end:?}");
    assert!(end.metadata().contains_key("x-cursor"));
    loms.pay(id).await;
    let mut again = loms.follow(behind(&seen, orders_of(7))).await;
    assert_eq!(again.take(1).await.0, [(id, 3)]);
}
