//! A router over subgraphs in memory, with a topic of its own.

use std::{sync::Arc, time::Duration};

use chassis::{
    clock::Clock,
    health::Health,
    kafka,
    principal::{Scopes, Signer, Verifier},
    tasks::Tasks,
};
use rdkafka::{
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};
use router::{Config, Dependencies, Service};
use schema::{
    event::{OrderEvent, OrderStatus, STOCK_TOPIC, header},
    id::{OrderId, Sku, UserId},
};
use serde_json::json;
use uuid::Uuid;

use super::subgraphs::{Orders, subgraphs};

/// A running router and what stands behind it.
pub(crate) struct Shop {
    pub(crate) service: Service,
    pub(crate) tasks: Tasks,
    pub(crate) health: Health,
    pub(crate) orders: Orders,
    signer: Arc<Signer>,
    producer: FutureProducer,
    kafka: kafka::Config,
    epoch: Uuid,
}

impl Shop {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let clock = Clock::system();
        let signer = Arc::new(Signer::generate(clock.clone()));
        let keys = json!({ "keys": [signer.jwk()] });
        let keys = serde_json::from_value(keys).expect("a key set");
        let verifier = Arc::new(Verifier::new(&keys, clock.clone()).expect("a verifier"));
        let orders = Orders::default();
        let topic = testkit::topic(2).await;
        let kafka = kafka::Config {
            brokers: testkit::kafka().await.to_owned(),
            topic,
            ..kafka::Config::default()
        };
        let mut config = Config {
            playground_enabled: false,
            ..Config::default()
        };
        config.listen = "127.0.0.1:0".parse().expect("an address");
        config.admin_listen = config.listen;
        config.rest.enabled = false;
        change(&mut config);
        let (tasks, health) = (Tasks::new(), Health::new());
        let dependencies = Dependencies {
            subgraphs: subgraphs(&orders),
            subgraph_urls: std::collections::BTreeMap::new(),
            state_dir: std::env::temp_dir(),
            kafka: kafka.clone(),
            verifier,
            signer: Arc::clone(&signer),
            service: None,
            demo_issuer: Some(Arc::clone(&signer)),
            clock,
        };
        let service = Service::start(config, dependencies, &tasks, &health)
            .await
            .expect("starts");
        let producer = kafka::producer(&kafka).expect("a producer");
        let shop = Self {
            service,
            tasks,
            health,
            orders,
            signer,
            producer,
            kafka,
            epoch: Uuid::now_v7(),
        };
        shop.ready().await;
        shop
    }

    /// Stops everything; every task must end in time.
    pub(crate) async fn stop(self) {
        let late = self.tasks.shutdown(Duration::from_secs(10)).await;
        assert!(late.is_empty(), "tasks that did not stop: {late:?}");
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/graphql", self.service.address)
    }

    /// A series of the operators' page, 0 before it is there. Other tests of this process count in it too.
    pub(crate) async fn metric(&self, series: &str) -> f64 {
        let page = reqwest::get(format!("http://{}/metrics", self.service.admin_address));
        let page = page.await.expect("answers").text().await.expect("a text");
        let line = page.lines().find_map(|line| line.strip_prefix(series));
        line.map_or(0.0, |value| value.trim().parse().expect("a number"))
    }

    pub(crate) fn token(&self, user: i64) -> String {
        self.token_for(user, Scopes::CUSTOMER, Duration::from_secs(600))
    }

    pub(crate) fn ops(&self) -> String {
        self.token_for(1, Scopes::OPS, Duration::from_secs(600))
    }

    pub(crate) fn token_for(&self, user: i64, scopes: Scopes, ttl: Duration) -> String {
        let user = UserId::try_from(user).expect("a user id");
        self.signer
            .user_token(user, scopes, ttl)
            .expose()
            .to_owned()
    }

    /// Changes an order and sends its event, as loms and its relay do.
    pub(crate) async fn change(&self, id: i64, owner: i64, status: OrderStatus) -> u32 {
        let version = self.orders.set(id, owner, status);
        self.announce(id, owner, version, status).await;
        version
    }

    /// The end of the stream, as everybody may ask for it.
    pub(crate) async fn end(&self) -> String {
        let request = reqwest::Client::new().post(self.url());
        let request = request.json(&json!({"query": "{ orderEventsCursor }"}));
        let answer = request
            .bearer_auth(self.ops())
            .send()
            .await
            .expect("answers");
        let answer: serde_json::Value = answer.json().await.expect("JSON");
        let end = answer["data"]["orderEventsCursor"].as_str();
        end.unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// Sends an event without a change. The order's line is of the SKU that the fake loms gives it.
    pub(crate) async fn announce(&self, id: i64, owner: i64, version: u32, status: OrderStatus) {
        let event = OrderEvent {
            event_id: Uuid::now_v7(),
            order_id: OrderId::try_from(id).expect("an order id"),
            user_id: UserId::try_from(owner).expect("a user id"),
            version,
            status,
            moment: Clock::system().now(),
            skus: vec![Sku::try_from(10 * id).expect("a SKU")],
            traceparent: None,
        };
        let epoch = self.epoch.to_string();
        let mut headers = OwnedHeaders::new();
        for (key, value) in &event.headers() {
            headers = headers.insert(Header {
                key,
                value: Some(value),
            });
        }
        headers = headers.insert(Header {
            key: header::STREAM_EPOCH,
            value: Some(&epoch),
        });
        let (key, value) = (event.key(), event.value());
        let record = FutureRecord::to(&self.kafka.topic)
            .key(&key)
            .payload(&value)
            .headers(headers);
        let sent = self.producer.send(record, Duration::from_secs(10)).await;
        sent.expect("the broker takes the event");
    }

    /// The same shop, whose stock has a topic.
    pub(crate) async fn with_stock(self) -> Self {
        let topic = self.kafka.beside(STOCK_TOPIC);
        kafka::ensure_topic(&topic).await.expect("the topic");
        self
    }

    /// Changes a SKU's free units and sends the event, as loms and its relay do.
    pub(crate) async fn stock(&self, sku: i64, available: i32) {
        let version = self.orders.set_stock(sku, available);
        self.announce_stock(sku, version, available).await;
    }

    /// Sends such an event without a change.
    pub(crate) async fn announce_stock(&self, sku: i64, version: u32, available: i32) {
        // Each topic has its own.
        let epoch = Uuid::from_u128(self.epoch.as_u128() - 1);
        let headers = [
            (header::EVENT_ID, Uuid::now_v7().to_string()),
            (header::VERSION, version.to_string()),
            (header::STREAM_EPOCH, epoch.to_string()),
        ];
        let headers = headers
            .iter()
            .fold(OwnedHeaders::new(), |all, (key, value)| {
                let value = Some(value);
                all.insert(Header { key, value })
            });
        let moment = Clock::system().now().to_rfc3339();
        let value = json!({"sku": sku, "available": available, "moment": moment}).to_string();
        let (topic, key) = (self.kafka.beside(STOCK_TOPIC).topic, sku.to_string());
        let record = FutureRecord::to(&topic).key(&key).payload(&value);
        let sent = self
            .producer
            .send(record.headers(headers), Duration::from_secs(10));
        sent.await.expect("the broker takes the event");
    }

    async fn ready(&self) {
        testkit::eventually("the router is ready", Duration::from_secs(30), async || {
            self.health.is_ready().then_some(())
        })
        .await;
    }
}
