//! The promises about events: what the outbox says, the topic has, once and in order, and each has one effect.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use anyhow::Context as _;
use chassis::kafka;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::{Offset, TopicPartitionList};
use schema::event::OrderEvent;
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use uuid::Uuid;

use super::stores::Stores;
use super::{EXAMPLES, Finding};

/// The longest silence of a broker that still has messages.
const SILENCE: Duration = Duration::from_secs(10);

/// What the topic has, repeats left out.
#[derive(Default)]
struct Topic {
    events: HashSet<Uuid>,
    /// The versions of each order as they first came.
    versions: HashMap<i64, Vec<u32>>,
    /// When the broker took each message that repeats an earlier one, in milliseconds since 1970.
    repeats: Vec<i64>,
    unreadable: Vec<String>,
}

/// # Errors
/// When the broker or a database does not answer.
pub(super) async fn look(stores: &Stores) -> anyhow::Result<Vec<Finding>> {
    // What must be in the topic is read before it, and what the topic must be in after it: work may go on meanwhile.
    let halves = halves(&stores.notifier).await?;
    let sent = events(
        &stores.loms,
        "select event_id from outbox where sent_at is not null
         union all select event_id from order_history",
    )
    .await?;
    let topic = read(&stores.kafka).await.context("the topic")?;
    let known = events(
        &stores.loms,
        "select event_id from outbox union all select event_id from order_history",
    )
    .await?;
    Ok(vec![
        same_events(&sent, &known, &topic),
        versions(&topic),
        one_effect(&known, &halves, &topic),
    ])
}

/// When the broker took each message that repeats an earlier one, in milliseconds since 1970.
///
/// # Errors
/// When the broker does not answer.
pub(super) async fn repeats(stores: &Stores) -> anyhow::Result<Vec<i64>> {
    Ok(read(&stores.kafka).await.context("the topic")?.repeats)
}

fn same_events(sent: &HashSet<Uuid>, known: &HashSet<Uuid>, topic: &Topic) -> Finding {
    let lost = sent
        .difference(&topic.events)
        .map(|id| format!("event {id} was sent and is not in the topic"));
    let foreign = topic
        .events
        .difference(known)
        .map(|id| format!("event {id} of the topic is in no outbox"));
    finding(
        "I6",
        "the topic has every sent event of the outbox, and no other",
        topic.events.len(),
        lost.chain(foreign),
    )
}

fn versions(topic: &Topic) -> Finding {
    let orders: BTreeMap<_, _> = topic.versions.iter().collect();
    let wrong = orders.into_iter().filter_map(|(order, versions)| {
        let in_order = (1..)
            .zip(versions)
            .all(|(expected, version)| expected == *version);
        (!in_order).then(|| format!("order {order} came as versions {versions:?}"))
    });
    let promise = "in the topic each order's versions are 1, 2, 3 and so on, repeats aside";
    let unreadable = topic.unreadable.iter().cloned();
    finding("I7", promise, topic.versions.len(), wrong.chain(unreadable))
}

/// What the notifier has of an event.
struct Halves {
    effects: HashSet<Uuid>,
    /// Events with an inbox row and no effect, or the other way round.
    alone: Vec<Uuid>,
}

/// Inbox and effects of one moment.
async fn halves(db: &chassis::postgres::DatabaseConnection) -> anyhow::Result<Halves> {
    let sql = "select event_id, inbox.event_id is not null, deliveries.event_id is not null
               from inbox full join deliveries using (event_id)";
    let rows = db
        .query_all_raw(Statement::from_string(DbBackend::Postgres, sql))
        .await?;
    let (mut effects, mut alone) = (HashSet::new(), Vec::new());
    for row in &rows {
        let event: Uuid = row.try_get_by_index(0)?;
        let (received, has_effect): (bool, bool) =
            (row.try_get_by_index(1)?, row.try_get_by_index(2)?);
        if has_effect {
            effects.insert(event);
        }
        if received != has_effect {
            alone.push(event);
        }
    }
    Ok(Halves { effects, alone })
}

fn one_effect(known: &HashSet<Uuid>, halves: &Halves, topic: &Topic) -> Finding {
    // The table's key lets an event have one row at most; what can go wrong is a row without its other half.
    let Halves { effects, alone } = halves;
    let alone = alone
        .iter()
        .map(|id| format!("event {id} has only one of inbox row and effect"));
    let unasked = effects
        .iter()
        .filter(|id| !known.contains(id))
        .map(|id| format!("effect of event {id}, which is in no outbox"));
    let early = effects
        .iter()
        .filter(|id| !topic.events.contains(id))
        .map(|id| format!("effect of event {id}, which is not in the topic"));
    finding(
        "I8",
        "each event has one effect, and no effect is without its event",
        effects.len(),
        alone.chain(unasked).chain(early),
    )
}

fn finding(
    id: &'static str,
    promise: &'static str,
    checked: usize,
    wrong: impl Iterator<Item = String>,
) -> Finding {
    let mut wrong = wrong.peekable();
    let examples: Vec<String> = wrong
        .by_ref()
        .take(usize::try_from(EXAMPLES).unwrap_or(usize::MAX))
        .collect();
    let broken = examples.len() + wrong.count();
    Finding {
        id,
        promise,
        checked: checked as u64,
        broken: broken as u64,
        examples,
    }
}

async fn events(
    db: &chassis::postgres::DatabaseConnection,
    sql: &str,
) -> anyhow::Result<HashSet<Uuid>> {
    let rows = db
        .query_all_raw(Statement::from_string(DbBackend::Postgres, sql))
        .await?;
    rows.iter()
        .map(|row| Ok(row.try_get_by_index(0)?))
        .collect()
}

/// Reads every partition from its first message to the end that it has now.
async fn read(config: &kafka::Config) -> anyhow::Result<Topic> {
    let consumer = kafka::reader(config)?;
    let name = config.topic.clone();
    let (consumer, mut ends) = tokio::task::spawn_blocking(move || {
        let ends = assign(&consumer, &name)?;
        anyhow::Ok((consumer, ends))
    })
    .await??;
    let mut topic = Topic::default();
    while !ends.is_empty() {
        let message = tokio::time::timeout(SILENCE, consumer.recv()).await;
        let message = message.context("the broker is silent")??;
        topic.take(&message);
        let (partition, next) = (message.partition(), message.offset() + 1);
        if ends.get(&partition).is_some_and(|end| next >= *end) {
            ends.remove(&partition);
        }
    }
    Ok(topic)
}

/// Assigns every partition that has messages, from its first one; the end of each.
fn assign(consumer: &StreamConsumer, topic: &str) -> anyhow::Result<BTreeMap<i32, i64>> {
    let metadata = consumer.fetch_metadata(Some(topic), SILENCE)?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let partitions = found.context("it does not exist")?.partitions();
    let (mut ends, mut list) = (BTreeMap::new(), TopicPartitionList::new());
    for partition in partitions {
        let (first, end) = consumer.fetch_watermarks(topic, partition.id(), SILENCE)?;
        if end > first {
            ends.insert(partition.id(), end);
            list.add_partition_offset(topic, partition.id(), Offset::Offset(first))?;
        }
    }
    consumer.assign(&list)?;
    Ok(ends)
}

impl Topic {
    fn take(&mut self, message: &rdkafka::message::BorrowedMessage<'_>) {
        let header = |name: &str| {
            let headers = message.headers()?;
            let found = headers.iter().find(|header| header.key == name)?;
            found.value.map(<[u8]>::to_vec)
        };
        match OrderEvent::decode(message.payload().unwrap_or_default(), header) {
            Ok(event) if self.events.insert(event.event_id) => {
                let versions = self.versions.entry(event.order_id.get()).or_default();
                versions.push(event.version);
            }
            Ok(_) => self
                .repeats
                .push(message.timestamp().to_millis().unwrap_or(0)),
            Err(error) => self.unreadable.push(format!(
                "message {} of partition {} is no order event: {error}",
                message.offset(),
                message.partition()
            )),
        }
    }
}
