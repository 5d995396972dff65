//! The reader of the order topic, with a client library that shares no code with ours. Source: docs/contracts.md §7.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rskafka::client::partition::{OffsetAt, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::Record;
use schema::proto::loms::{
    Item, OrderCancelRequest, OrderCreateRequest, OrderPayRequest, loms_client::LomsClient,
};
use serde_json::{Value, json};
use tonic::Code;
use tonic::transport::Channel;

use crate::shop::{Shop, new_user};

const TOPIC: &str = "loms.order-events";
const SKU: i64 = 139_275_865;
/// How long an existing reader waits for an event.
const LIMIT: Duration = Duration::from_secs(10);
const VALUE_SCHEMA: &str = include_str!("../../../../schema/events/order-event.schema.json");

/// A reader from the newest offset on.
struct Reader {
    partitions: Vec<(PartitionClient, i64)>,
    schema: jsonschema::Validator,
    /// The statuses of each order and the partitions that they came from.
    found: BTreeMap<String, (Vec<String>, BTreeSet<i32>)>,
}

impl Reader {
    async fn from_newest(client: &Client) -> Self {
        let mut partitions = Vec::new();
        for partition in [0, 1] {
            let client = client.partition_client(TOPIC, partition, UnknownTopicHandling::Retry);
            let client = client.await.unwrap();
            let newest = client.get_offset(OffsetAt::Latest).await.unwrap();
            partitions.push((client, newest));
        }
        Self {
            partitions,
            schema: value_schema(),
            found: BTreeMap::new(),
        }
    }

    /// Reads until the order has had exactly these statuses.
    async fn until(&mut self, order: &str, statuses: &[&str]) {
        let deadline = Instant::now() + LIMIT;
        while self.statuses(order).len() < statuses.len() {
            assert!(
                Instant::now() < deadline,
                "order {order} has {:?}, not {statuses:?} in time",
                self.statuses(order)
            );
            self.read().await;
        }
        assert_eq!(self.statuses(order), statuses, "order {order}");
    }

    fn statuses(&self, order: &str) -> &[String] {
        self.found.get(order).map_or(&[], |(statuses, _)| statuses)
    }

    fn partitions_of(&self, order: &str) -> Vec<i32> {
        let found = self.found.get(order);
        found.map_or_else(Vec::new, |(_, partitions)| {
            partitions.iter().copied().collect()
        })
    }

    async fn read(&mut self) {
        for (client, next) in &mut self.partitions {
            let (records, _) = client.fetch_records(*next, 1..1_000_000, 50).await.unwrap();
            for found in records {
                *next = found.offset + 1;
                let (order, status) = check(&self.schema, &found.record);
                let (statuses, partitions) = self.found.entry(order).or_default();
                statuses.push(status);
                partitions.insert(client.partition());
            }
        }
    }
}

/// Every record, whoever's order it is of: the value has the schema, and the key is the value's order id in decimal.
fn check(schema: &jsonschema::Validator, record: &Record) -> (String, String) {
    let key = std::str::from_utf8(record.key.as_deref().unwrap()).unwrap();
    let value: Value = serde_json::from_slice(record.value.as_deref().unwrap()).unwrap();
    if let Err(error) = schema.validate(&value) {
        panic!("{value}: {error}");
    }
    assert_eq!(key, value["order_id"].to_string(), "{value}");
    (key.to_owned(), value["status"].as_str().unwrap().to_owned())
}

fn value_schema() -> jsonschema::Validator {
    let schema = serde_json::from_str(VALUE_SCHEMA).unwrap();
    let options = jsonschema::options().should_validate_formats(true);
    options.build(&schema).unwrap()
}

async fn client(shop: &Shop) -> Client {
    let broker = format!("127.0.0.1:{}", shop.port(9092));
    ClientBuilder::new(vec![broker]).build().await.unwrap()
}

async fn create(
    loms: &mut LomsClient<Channel>,
    user: i64,
    count: u32,
) -> Result<i64, tonic::Status> {
    let item = Item {
        sku: SKU,
        count,
        unit_price: None,
    };
    let request = OrderCreateRequest {
        user_id: user,
        items: vec![item],
    };
    Ok(loms.order_create(request).await?.into_inner().order_id)
}

/// Pay or cancel through the gateway, which must say 200.
async fn post(shop: &Shop, call: &str, order: i64) {
    let url = format!("{}/order/{call}", shop.url(8084));
    let body = json!({"orderId": order.to_string()});
    let answer = shop.http().post(url).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{call} {order}");
}

/// Seen red with an event written for a repeated change too: the order then had `paid` three times.
#[tokio::test]
async fn each_outcome_has_its_sequence_and_a_repeat_sends_nothing() {
    let shop = Shop::shared().await;
    let client = client(shop).await;
    let mut reader = Reader::from_newest(&client).await;
    let mut loms = LomsClient::connect(shop.url(8083)).await.unwrap();

    let paid = create(&mut loms, new_user(), 1).await.unwrap();
    let paid_key = paid.to_string();
    reader.until(&paid_key, &["new", "awaiting payment"]).await;
    post(shop, "pay", paid).await;
    reader
        .until(&paid_key, &["new", "awaiting payment", "paid"])
        .await;
    post(shop, "pay", paid).await;
    loms.order_pay(OrderPayRequest { order_id: paid })
        .await
        .unwrap();

    let cancelled = create(&mut loms, new_user(), 1).await.unwrap();
    let cancelled_key = cancelled.to_string();
    post(shop, "cancel", cancelled).await;
    let gone = ["new", "awaiting payment", "cancelled"];
    reader.until(&cancelled_key, &gone).await;
    post(shop, "cancel", cancelled).await;
    let again = OrderCancelRequest {
        order_id: cancelled,
    };
    loms.order_cancel(again).await.unwrap();
    // Refused changes: nothing may come of them either.
    let late = OrderPayRequest {
        order_id: cancelled,
    };
    assert_eq!(
        loms.order_pay(late).await.unwrap_err().code(),
        Code::FailedPrecondition
    );

    let buyer = new_user();
    let short = create(&mut loms, buyer, 1_000_000).await.unwrap_err();
    assert_eq!(short.code(), Code::FailedPrecondition);
    let failed = only_order(shop, buyer).await;
    reader.until(&failed, &["new", "failed"]).await;

    // Whatever the repeats had sent would stand before these orders' events, in both partitions.
    let mut markers = Vec::new();
    let mut behind = BTreeSet::new();
    while behind.len() < 2 {
        assert!(markers.len() < 64, "64 orders went to one partition");
        let marker = create(&mut loms, new_user(), 1).await.unwrap().to_string();
        reader.until(&marker, &["new", "awaiting payment"]).await;
        behind.extend(reader.partitions_of(&marker));
        markers.push(marker);
    }
    assert_eq!(
        reader.statuses(&paid_key),
        ["new", "awaiting payment", "paid"]
    );
    assert_eq!(reader.statuses(&cancelled_key), gone);
    assert_eq!(reader.statuses(&failed), ["new", "failed"]);
    for order in markers.iter().chain([&paid_key, &cancelled_key, &failed]) {
        assert_eq!(
            reader.partitions_of(order).len(),
            1,
            "order {order} has one partition"
        );
    }
}

#[tokio::test]
async fn the_topic_has_its_name_and_two_partitions() {
    let shop = Shop::shared().await;
    let client = client(shop).await;
    let topics = client.list_topics().await.unwrap();
    let topic = topics.iter().find(|topic| topic.name == TOPIC);
    let partitions = &topic.expect("the topic").partitions;
    assert_eq!(partitions.iter().copied().collect::<Vec<_>>(), [0, 1]);
}

/// The validator itself works: it takes the contract's value and nothing near it.
#[test]
fn the_schema_takes_the_contracts_value_and_no_other() {
    let schema = value_schema();
    let value =
        json!({"order_id": 1, "status": "awaiting payment", "moment": "2026-08-01T10:00:00.5Z"});
    assert!(schema.is_valid(&value));
    for (field, bad) in [
        ("order_id", json!("1")),
        ("order_id", json!(0)),
        ("status", json!("payed")),
        ("moment", json!("yesterday")),
        ("version", json!(1)),
    ] {
        let mut near = value.clone();
        near[field] = bad;
        assert!(!schema.is_valid(&near), "{near}");
    }
    for field in ["order_id", "status", "moment"] {
        let mut short = value.clone();
        short.as_object_mut().unwrap().remove(field);
        assert!(!schema.is_valid(&short), "{short}");
    }
}

/// The id of the one order that the user has.
async fn only_order(shop: &Shop, user: i64) -> String {
    let token = shop.token(user, false).await;
    let mine = "{ me { orders { nodes { id } } } }";
    let data = shop.graphql(&token, mine, json!({})).await;
    let orders = &data["me"]["orders"]["nodes"];
    assert_eq!(orders.as_array().map(Vec::len), Some(1), "{data}");
    orders[0]["id"].as_str().unwrap().to_owned()
}
