//! The promises about events: what the outbox says, the topic has, once and in order, and each has one effect. What the
//! topic's retention may have removed is not missed.

use std::collections::HashMap;

use anyhow::Context as _;
use chassis::{
    postgres::{
        DatabaseConnection,
        sql::{Described, Sql},
    },
    row, sql,
};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::read::{self, Said, Topic};
use super::stores::Stores;
use super::{EXAMPLES, Finding};

row! {
    struct EventRow {
        event_id: Uuid,
        moment: DateTime<Utc>,
    }
}

row! {
    struct KnownRow {
        event_id: Uuid,
        moment: DateTime<Utc>,
        order_id: i64,
        version: i32,
        user_id: i64,
        status: String,
    }
}

row! {
    struct EffectRow {
        event_id: Uuid,
        received: bool,
        inbox_order: Option<i64>,
        inbox_version: Option<i32>,
        moment: Option<DateTime<Utc>>,
        order_id: Option<i64>,
        version: Option<i32>,
        user_id: Option<i64>,
        status: Option<String>,
    }
}

static LIST_SENT: Sql<(), EventRow> = sql!("sql/list_sent.sql");
static LIST_KNOWN: Sql<(), KnownRow> = sql!("sql/list_known.sql");
static LIST_EFFECTS: Sql<(), EffectRow> = sql!("sql/list_effects.sql");

/// The statements, for the order service's database.
pub(super) fn loms_statements() -> [&'static dyn Described; 2] {
    [&LIST_SENT, &LIST_KNOWN]
}

/// The statement, for the notifier's database.
pub(super) fn notifier_statements() -> [&'static dyn Described; 1] {
    [&LIST_EFFECTS]
}

/// Events by id, each with the moment of its change.
type Events = HashMap<Uuid, DateTime<Utc>>;

/// Events by id, each with what it says.
type Known = HashMap<Uuid, Said>;

/// # Errors
/// When the broker or a database does not answer.
pub(super) async fn look(stores: &Stores) -> anyhow::Result<Vec<Finding>> {
    // What must be in the topic is read before it, and what the topic must be in after it: work may go on meanwhile.
    let halves = halves(&stores.notifier).await?;
    let sent = events(&stores.loms, &LIST_SENT).await?;
    let topic = read::topic(&stores.kafka).await.context("the topic")?;
    let known = known(&stores.loms).await?;
    Ok(vec![
        same_events(&sent, &known, &topic),
        same_words(&known, &halves, &topic),
        versions(&topic),
        one_effect(&known, &halves, &topic),
    ])
}

/// When the broker took each message that repeats an earlier one, in milliseconds since 1970.
///
/// # Errors
/// When the broker does not answer.
pub(super) async fn repeats(stores: &Stores) -> anyhow::Result<Vec<i64>> {
    let topic = read::topic(&stores.kafka).await.context("the topic")?;
    Ok(topic.repeats)
}

/// Which of the sent events the topic lacks.
///
/// # Errors
/// When the broker or a database does not answer.
pub(super) async fn lost(stores: &Stores) -> anyhow::Result<Vec<Uuid>> {
    let sent = events(&stores.loms, &LIST_SENT).await?;
    let topic = read::topic(&stores.kafka).await.context("the topic")?;
    let sent = sent.into_iter();
    let lost = sent.filter(|(id, moment)| topic.lacks(id, *moment));
    Ok(lost.map(|(id, _)| id).collect())
}

/// Whether every message and every effect says of its event what the outbox says.
fn same_words(known: &Known, halves: &Halves, topic: &Topic) -> Finding {
    let differ = |place: &'static str, said: &Known| -> Vec<String> {
        let told = said
            .iter()
            .filter_map(|(id, said)| Some((id, known.get(id)?, said)));
        let wrong = told.filter(|(_, known, said)| known != said);
        wrong
            .map(|(id, known, said)| format!("event {id} is {known}; {place} says {said}"))
            .collect()
    };
    let messages = differ("the topic", &topic.events);
    let effects = differ("its effect", &halves.said);
    let contradictions = topic.contradictions.iter().cloned();
    finding(
        "I6a",
        "a message and an effect say of their event what the outbox says",
        topic.events.len() + halves.said.len(),
        contradictions
            .chain(messages)
            .chain(effects)
            .chain(halves.torn.iter().cloned()),
    )
}

fn same_events(sent: &Events, known: &Known, topic: &Topic) -> Finding {
    let lost = sent
        .iter()
        .filter(|(id, moment)| topic.lacks(id, **moment))
        .map(|(id, _)| format!("event {id} was sent and is not in the topic"));
    let foreign = topic
        .events
        .keys()
        .filter(|id| !known.contains_key(*id))
        .map(|id| format!("event {id} of the topic is in no outbox"));
    finding(
        "I6",
        "the topic has every sent event that its retention has not removed, and no other",
        topic.events.len(),
        lost.chain(foreign),
    )
}

fn versions(topic: &Topic) -> Finding {
    let wrong = topic
        .orders
        .iter()
        .filter(|(_, versions)| !versions.follow())
        .map(|(order, versions)| format!("order {order} came as versions {:?}", versions.came));
    let promise = "in the topic each order's versions are 1, 2, 3 and so on, repeats and what retention removed aside";
    let unreadable = topic.unreadable.iter().cloned();
    finding("I7", promise, topic.orders.len(), wrong.chain(unreadable))
}

/// What the notifier has of events.
#[derive(Default)]
struct Halves {
    effects: Events,
    /// Events with an inbox row and no effect, or the other way round.
    alone: Vec<Uuid>,
    /// What each effect says of its event.
    said: Known,
    /// Inbox rows that name another event than their effect.
    torn: Vec<String>,
}

/// Inbox and effects of one moment.
async fn halves(db: &DatabaseConnection) -> anyhow::Result<Halves> {
    let mut halves = Halves::default();
    for row in LIST_EFFECTS.all(db, ()).await? {
        let id = row.event_id;
        let Some(said) = effect(&row) else {
            halves.alone.push(id);
            continue;
        };
        if !row.received {
            halves.alone.push(id);
        } else if (row.inbox_order, row.inbox_version) != (row.order_id, row.version) {
            let torn = "whose inbox row names another order or version";
            halves.torn.push(format!("event {id} is {said}, {torn}"));
        }
        halves.effects.insert(id, said.moment);
        halves.said.insert(id, said);
    }
    Ok(halves)
}

fn effect(row: &EffectRow) -> Option<Said> {
    Some(Said {
        order: row.order_id?,
        version: row.version?.into(),
        user: row.user_id?,
        status: row.status.as_ref()?.parse().ok(),
        moment: row.moment?,
    })
}

async fn known(db: &DatabaseConnection) -> anyhow::Result<Known> {
    let rows = LIST_KNOWN.all(db, ()).await?.into_iter();
    let said = |row: &KnownRow| Said {
        order: row.order_id,
        version: row.version.into(),
        user: row.user_id,
        status: row.status.parse().ok(),
        moment: row.moment,
    };
    Ok(rows.map(|row| (row.event_id, said(&row))).collect())
}

fn one_effect(known: &Known, halves: &Halves, topic: &Topic) -> Finding {
    // The table's key lets an event have one row at most; what can go wrong is a row without its other half.
    let Halves { effects, alone, .. } = halves;
    let alone = alone
        .iter()
        .map(|id| format!("event {id} has only one of inbox row and effect"));
    let unasked = effects
        .keys()
        .filter(|id| !known.contains_key(*id))
        .map(|id| format!("effect of event {id}, which is in no outbox"));
    let early = effects
        .iter()
        .filter(|(id, moment)| topic.lacks(id, **moment))
        .map(|(id, _)| format!("effect of event {id}, which is not in the topic"));
    finding(
        "I8",
        "no event has a second effect, and no effect is without its event",
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
    let examples: Vec<String> = wrong.by_ref().take(EXAMPLES).collect();
    let broken = examples.len() + wrong.count();
    Finding {
        id,
        promise,
        checked: checked as u64,
        broken: broken as u64,
        examples,
    }
}

async fn events(db: &DatabaseConnection, statement: &Sql<(), EventRow>) -> anyhow::Result<Events> {
    let rows = statement.all(db, ()).await?.into_iter();
    Ok(rows.map(|row| (row.event_id, row.moment)).collect())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use schema::event::{OrderEvent, OrderStatus};

    use super::*;

    fn minute(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    /// Order 7 came to `version` at minute `at`.
    fn event(version: u32, at: i64) -> OrderEvent {
        OrderEvent {
            event_id: Uuid::new_v4(),
            order_id: 7.try_into().unwrap(),
            user_id: 1.try_into().unwrap(),
            version,
            status: OrderStatus::Paid,
            moment: minute(at),
            skus: Vec::new(),
            traceparent: None,
        }
    }

    /// A topic whose partition 0 has these events; if it was cut, its first one was sent at that minute.
    fn topic(cut: Option<i64>, events: &[OrderEvent]) -> Topic {
        let mut topic = Topic::default();
        if let Some(at) = cut {
            topic.cut(0, minute(at));
        }
        for event in events {
            topic.add(0, 0, event);
        }
        topic
    }

    fn by_id(events: &[OrderEvent]) -> Events {
        let events = events.iter();
        events.map(|event| (event.event_id, event.moment)).collect()
    }

    fn said(events: &[OrderEvent]) -> Known {
        let events = events.iter();
        events.map(|event| (event.event_id, event.into())).collect()
    }

    /// How many of the events are missed, as sent ones and as those of effects, where the topic has the last one alone.
    fn missed(cut: Option<i64>, events: &[OrderEvent]) -> [u64; 2] {
        let topic = topic(cut, &events[events.len() - 1..]);
        let (all, known) = (by_id(events), said(events));
        let halves = Halves {
            effects: all.clone(),
            ..Halves::default()
        };
        let sent = same_events(&all, &known, &topic);
        [sent.broken, one_effect(&known, &halves, &topic).broken]
    }

    /// Whether the versions of an order, each with its minute, are in order where they came like this.
    fn in_order(cut: Option<i64>, came: &[(u32, i64)]) -> bool {
        let came: Vec<_> = came.iter().map(|(v, at)| event(*v, *at)).collect();
        versions(&topic(cut, &came)).holds()
    }

    #[test]
    fn an_event_is_missed_unless_it_is_older_than_what_a_cut_partition_has_left() {
        let events = [event(1, 1), event(2, 4), event(3, 6), event(4, 9)];
        assert_eq!(missed(None, &events), [3, 3], "nothing was cut");
        assert_eq!(missed(Some(5), &events), [1, 1], "that of minute 6");
        assert_eq!(missed(Some(9), &events), [0, 0]);
    }

    #[test]
    fn what_the_topic_has_must_be_in_an_outbox_however_old() {
        let old = event(1, 1);
        let topic = topic(Some(5), &[old]);
        assert_eq!(same_events(&Events::new(), &Known::new(), &topic).broken, 1);
    }

    #[test]
    fn a_repeat_that_says_another_thing_is_named() {
        let first = event(1, 1);
        let again = OrderEvent {
            status: OrderStatus::Cancelled,
            ..first.clone()
        };
        let broken = |events: &[OrderEvent]| {
            let known = said(&events[..1]);
            same_words(&known, &Halves::default(), &topic(None, events)).broken
        };
        assert_eq!(broken(&[first.clone(), first.clone()]), 0);
        assert_eq!(broken(&[first, again]), 1);
    }

    #[test]
    fn versions_begin_at_1_and_follow_one_another() {
        assert!(in_order(None, &[(1, 1), (2, 2), (3, 3)]));
        for wrong in [
            &[(2, 2), (3, 3)][..],
            &[(1, 1), (3, 3)],
            &[(3, 3), (1, 1), (2, 2)],
        ] {
            assert!(!in_order(None, wrong), "{wrong:?}");
        }
    }

    #[test]
    fn in_a_cut_partition_versions_begin_anywhere_and_then_follow_one_another() {
        assert!(in_order(Some(5), &[(4, 6), (5, 7)]));
        assert!(!in_order(Some(5), &[(4, 6), (6, 7)]));
        assert!(!in_order(Some(5), &[(5, 7), (4, 6)]));
        // Versions 1 and 2 were cut off, and sent again behind version 3.
        assert!(in_order(Some(5), &[(3, 5), (1, 1), (2, 2), (4, 6)]));
    }

    #[test]
    fn a_cut_excuses_no_order_of_another_partition() {
        let mut topic = topic(Some(5), &[]);
        topic.add(1, 0, &event(2, 6));
        assert!(!versions(&topic).holds());
    }
}
