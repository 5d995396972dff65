//! The operator who finds parked messages: looks at them, mends what refused one, and replays it. Source:
//! docs/runbook.md, "Dead letters".

use std::collections::BTreeMap;
use std::time::Duration;

use rskafka::client::ClientBuilder;
use rskafka::client::partition::{Compression, UnknownTopicHandling};
use rskafka::record::Record;
use schema::event::TOPIC;
use schema::proto::loms::{Item, OrderCreateRequest, OrderPayRequest, loms_client::LomsClient};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::eventually;
use tonic::transport::Channel;

use crate::shop::{Arrangement, Shop, command, free_offset, new_user, run};

const SKU: i64 = 139_275_865;
const LIMIT: Duration = Duration::from_secs(30);
/// How Postgres refuses what the test's rule forbids.
const REFUSAL: &str = "violates check constraint \"refusing\"";
/// How the value of the foreign message is refused.
const NO_JSON: &str = "value: expected value";

/// What the notifier parked, as `list --json` has it, and the orders of this shop.
struct Parked {
    /// Version 2 of `order`, which the database refuses.
    event: Value,
    /// A foreign message.
    poison: Value,
    /// Three versions.
    order: i64,
    /// Made when both were parked; two versions.
    later: i64,
}

impl Parked {
    /// Effects of the orders, if `order` has those of these versions: each delivered at the first attempt.
    fn effects(&self, versions: &[u32]) -> String {
        let order = versions.iter().map(|version| (self.order, *version));
        let all = order.chain([(self.later, 1), (self.later, 2)]);
        let lines: Vec<_> = all
            .map(|(order, version)| format!("{order}|{version}|t|1\n"))
            .collect();
        lines.concat()
    }
}

/// What the command said.
#[derive(Debug)]
struct Printed {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Those behind a parked message are not held up. A replay handles it once, when what refused it is mended; one before
/// that, and a dry run, change nothing.
#[tokio::test]
async fn a_parked_event_is_replayed_once_when_what_refused_it_is_mended() {
    let folder = TempDir::with_prefix("marketplace-dead-letters-").unwrap();
    let shop = Shop::start_in(folder.path(), Arrangement::Together, free_offset(), &[]).await;
    let parked = park(&shop).await;
    see_both(&shop, &parked).await;

    fail_to_replay(&shop, &parked).await;
    assert_unchanged(&shop, &parked).await;
    // The foreign message stays in the topic, so I7 is broken whatever becomes of the event.
    assert_broken(&shop, "1s", [("I7", 1), ("I8", 0), ("I10", 1)]).await;

    shop.psql(
        "notifier",
        "alter table deliveries drop constraint refusing",
    )
    .await;
    try_dry(&shop, &parked).await;
    assert_unchanged(&shop, &parked).await;

    replay_once(&shop, &parked).await;
    let left = list(&shop).await;
    assert!(left.len() == 1 && left[0] == parked.poison, "{left:?}");
    assert_eq!(effects(&shop).await, parked.effects(&[1, 2, 3]));
    assert_broken(&shop, "5s", [("I7", 1), ("I8", 0), ("I10", 0)]).await;
    delete_once(&shop, &parked.poison).await;
    shop.stop().await;
}

/// An event that the database refuses, a foreign message behind it in its partition, and orders that go on.
async fn park(shop: &Shop) -> Parked {
    let user = new_user();
    let rule = format!(
        "alter table deliveries add constraint refusing check (user_id <> {user} or version <> 2)"
    );
    shop.psql("notifier", &rule).await;
    let mut loms = LomsClient::connect(shop.url(8083)).await.unwrap();
    let order = create(&mut loms, user).await;
    let listed = until_listed(shop, 1).await;
    let partition = listed[0]["partition"].as_i64().unwrap();
    send_foreign(shop, partition.try_into().unwrap()).await;
    let listed = until_listed(shop, 2).await;
    let [event, poison] = <[Value; 2]>::try_from(listed).unwrap();
    let pay = OrderPayRequest { order_id: order };
    loms.order_pay(pay).await.unwrap();
    let later = create(&mut loms, new_user()).await;
    let parked = Parked {
        event,
        poison,
        order,
        later,
    };
    eventually("those behind have their effects", LIMIT, async || {
        (effects(shop).await == parked.effects(&[1, 3])).then_some(())
    })
    .await;
    parked
}

async fn create(loms: &mut LomsClient<Channel>, user: i64) -> i64 {
    let item = Item {
        sku: SKU,
        count: 1,
        unit_price: None,
    };
    let request = OrderCreateRequest {
        user_id: user,
        items: vec![item],
    };
    let made = loms.order_create(request).await.unwrap();
    made.into_inner().order_id
}

/// Writes what is no order event.
async fn send_foreign(shop: &Shop, partition: i32) {
    let broker = format!("127.0.0.1:{}", shop.port(9092));
    let client = ClientBuilder::new(vec![broker]).build().await.unwrap();
    let topic = client.partition_client(TOPIC, partition, UnknownTopicHandling::Retry);
    let record = Record {
        key: None,
        value: Some(b"poison".to_vec()),
        headers: BTreeMap::from([("origin".to_owned(), b"elsewhere".to_vec())]),
        timestamp: "2026-08-01T10:00:00Z".parse().unwrap(),
    };
    let topic = topic.await.unwrap();
    let written = topic.produce(vec![record], Compression::NoCompression);
    written.await.unwrap();
}

/// The lines for people have what the lines for programs have, and `show` has all of it.
async fn see_both(shop: &Shop, parked: &Parked) {
    let Parked { event, poison, .. } = parked;
    let printed = dead_letters(shop, &["list"]).await;
    assert!(
        printed.code == Some(0) && printed.err.is_empty(),
        "{printed:?}"
    );
    assert_eq!(printed.out.lines().count(), 2, "{printed:?}");
    let reasons = ["violates check constraint", NO_JSON];
    for ((line, letter), reason) in printed.out.lines().zip([event, poison]).zip(reasons) {
        let (id, parked_at) = (&letter["id"], letter["parked_at"].as_str().unwrap());
        let (date_and_time, _) = parked_at.split_at("2026-08-01T10:00:00".len());
        let (partition, offset) = (&letter["partition"], &letter["offset"]);
        let head = format!("{id} message {date_and_time}Z {partition}/{offset}");
        let words: Vec<&str> = line.split_whitespace().take(4).collect();
        assert_eq!(words.join(" "), head, "{line}");
        assert!(line.contains(reason), "{line}");
    }

    for letter in [event, poison] {
        let printed = dead_letters(shop, &["show", &letter["id"].to_string()]).await;
        assert!(
            printed.code == Some(0) && printed.err.is_empty(),
            "{printed:?}"
        );
        let shown: Value = serde_json::from_str(&printed.out).unwrap();
        assert_eq!(shown, *letter);
        assert_eq!(shown["topic"], TOPIC);
        assert_eq!(shown["refused_event"], Value::Null);
    }
    assert!(reason(event).contains(REFUSAL), "{event}");
    assert_eq!(event["key"], parked.order.to_string());
    let value: Value = serde_json::from_str(event["value"].as_str().unwrap()).unwrap();
    assert_eq!(value["order_id"], parked.order);
    assert_eq!(value["status"], "awaiting payment");
    assert_eq!(header(event, "version"), "2");
    assert!(reason(poison).starts_with(NO_JSON), "{poison}");
    assert_eq!(poison["key"], Value::Null);
    assert_eq!(poison["value"], "poison");
    let origin = json!([{"name": "origin", "value": "elsewhere"}]);
    assert_eq!(poison["headers"], origin);
}

/// Nothing is mended: each is refused as it was when it was parked, and a dry run says the same.
async fn fail_to_replay(shop: &Shop, parked: &Parked) {
    for (letter, head, reason) in [
        (&parked.event, "marketplace: database: ", REFUSAL),
        (
            &parked.poison,
            "marketplace: it is still no order event: ",
            NO_JSON,
        ),
    ] {
        for dry_run in [true, false] {
            let printed = replay(shop, letter, dry_run).await;
            assert!(
                printed.code == Some(1) && printed.out.is_empty(),
                "{printed:?}"
            );
            let once = printed.err.matches(reason).count() == 1;
            assert!(printed.err.starts_with(head) && once, "{printed:?}");
        }
    }
}

/// The event would succeed now, and the foreign message never will.
async fn try_dry(shop: &Shop, parked: &Parked) {
    let (event, poison) = (&parked.event["id"], &parked.poison["id"]);
    let printed = replay(shop, &parked.event, true).await;
    assert!(
        printed.code == Some(0) && printed.out.is_empty(),
        "{printed:?}"
    );
    let handled = format!(" {event} would be handled\n");
    assert!(printed.err.ends_with(&handled), "{printed:?}");

    let printed = dead_letters(shop, &["replay", "--all", "--dry-run"]).await;
    assert!(
        printed.code == Some(1) && printed.out.is_empty(),
        "{printed:?}"
    );
    let stays = format!(" {poison} stays: it is still no order event: {NO_JSON}");
    assert!(
        printed.err.contains(&handled) && printed.err.contains(&stays),
        "{printed:?}"
    );
}

/// The line of the event is printed with its own id; afterwards there is no such dead letter.
async fn replay_once(shop: &Shop, parked: &Parked) {
    let event = &parked.event;
    let printed = replay(shop, event, false).await;
    assert_eq!(printed.code, Some(0), "{printed:?}");
    let handled = format!(" {} handled\n", event["id"]);
    assert!(printed.err.ends_with(&handled), "{printed:?}");
    assert_eq!(printed.out.lines().count(), 1, "{printed:?}");
    let line: Value = serde_json::from_str(&printed.out).unwrap();
    assert_eq!(line["notification"], "order status changed");
    assert_eq!(line["order_id"], parked.order);
    assert_eq!(line["version"], 2);
    assert_eq!(line["status"], "awaiting payment");
    assert_eq!(line["event_id"], *header(event, "event-id"));

    let missing = format!("marketplace: there is no dead letter {}\n", event["id"]);
    let again = replay(shop, event, false).await;
    let shown = dead_letters(shop, &["show", &event["id"].to_string()]).await;
    for printed in [again, shown] {
        assert!(
            printed.code == Some(1) && printed.out.is_empty(),
            "{printed:?}"
        );
        assert_eq!(printed.err, missing);
    }
}

/// What was deleted is printed for the record; afterwards there is no such dead letter.
async fn delete_once(shop: &Shop, poison: &Value) {
    let id = poison["id"].to_string();
    let printed = dead_letters(shop, &["delete", &id]).await;
    assert_eq!(printed.code, Some(0), "{printed:?}");
    assert_eq!(
        serde_json::from_str::<Value>(&printed.out).unwrap(),
        *poison
    );
    assert_eq!(list(shop).await, Vec::<Value>::new());
    let again = dead_letters(shop, &["delete", &id]).await;
    let missing = format!("marketplace: there is no dead letter {id}\n");
    assert!(
        again.code == Some(1) && again.err == missing && again.out.is_empty(),
        "{again:?}"
    );
}

/// Both are parked still, and nothing has an effect that had none.
async fn assert_unchanged(shop: &Shop, parked: &Parked) {
    let both = [parked.event.clone(), parked.poison.clone()];
    assert_eq!(list(shop).await, both);
    assert_eq!(effects(shop).await, parked.effects(&[1, 3]));
}

fn reason(letter: &Value) -> &str {
    letter["reason"].as_str().unwrap()
}

fn header<'a>(letter: &'a Value, name: &str) -> &'a Value {
    let mut headers = letter["headers"].as_array().unwrap().iter();
    let found = headers.find(|header| header["name"] == name);
    &found.unwrap()["value"]
}

async fn until_listed(shop: &Shop, count: usize) -> Vec<Value> {
    eventually("they are parked", LIMIT, async || {
        let listed = list(shop).await;
        (listed.len() == count).then_some(listed)
    })
    .await
}

/// What is parked, oldest first.
async fn list(shop: &Shop) -> Vec<Value> {
    let printed = dead_letters(shop, &["list", "--json"]).await;
    assert_eq!(printed.code, Some(0), "{printed:?}");
    let lines = printed.out.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

async fn replay(shop: &Shop, letter: &Value, dry_run: bool) -> Printed {
    let id = letter["id"].to_string();
    let mut arguments = vec!["replay", "--id", id.as_str()];
    if dry_run {
        arguments.push("--dry-run");
    }
    dead_letters(shop, &arguments).await
}

async fn dead_letters(shop: &Shop, arguments: &[&str]) -> Printed {
    let mut command = command(shop.state(), shop.offset());
    command.arg("dead-letters").args(arguments);
    let output = run(command).await;
    Printed {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Each of these promises is broken by so many things, by `marketplace verify`.
async fn assert_broken(shop: &Shop, settle: &str, promises: [(&str, u64); 3]) {
    let mut command = command(shop.state(), shop.offset());
    command.args(["verify", "--json", "--settle", settle]);
    let output = run(command).await;
    let findings = serde_json::from_slice(&output.stdout);
    let findings: Value = findings.unwrap_or_else(|error| panic!("{error}: {output:?}"));
    for (id, broken) in promises {
        let mut all = findings.as_array().unwrap().iter();
        let found = all.find(|finding| finding["id"] == id).unwrap();
        assert_eq!(found["broken"], broken, "{id} in {findings:#}");
    }
}

/// Order, version, whether it is delivered, and attempts, of every effect.
async fn effects(shop: &Shop) -> String {
    let sql = "select order_id, version, delivered_at is not null, attempts from deliveries
               order by order_id, version";
    shop.psql("notifier", sql).await
}
