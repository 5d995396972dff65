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

use super::read::{self, Topic};
use super::stores::Stores;
use super::{EXAMPLES, Finding};

row! {
    struct EventRow {
        event_id: Uuid,
        moment: DateTime<Utc>,
    }
}

row! {
    struct EffectRow {
        event_id: Uuid,
        received: bool,
        moment: Option<DateTime<Utc>>,
    }
}

static LIST_SENT: Sql<(), EventRow> = sql!("sql/list_sent.sql");
static LIST_KNOWN: Sql<(), EventRow> = sql!("sql/list_known.sql");
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

/// # Errors
/// When the broker or a database does not answer.
pub(super) async fn look(stores: &Stores) -> anyhow::Result<Vec<Finding>> {
    // What must be in the topic is read before it, and what the topic must be in after it: work may go on meanwhile.
    let halves = halves(&stores.notifier).await?;
    let sent = events(&stores.loms, &LIST_SENT).await?;
    let topic = read::topic(&stores.kafka).await.context("the topic")?;
    let known = events(&stores.loms, &LIST_KNOWN).await?;
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
    let topic = read::topic(&stores.kafka).await.context("the topic")?;
    Ok(topic.repeats)
}

fn same_events(sent: &Events, known: &Events, topic: &Topic) -> Finding {
    let lost = sent
        .iter()
        .filter(|(id, moment)| topic.lacks(id, **moment))
        .map(|(id, _)| format!("event {id} was sent and is not in the topic"));
    let foreign = topic
        .events
        .iter()
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
struct Halves {
    effects: Events,
    /// Events with an inbox row and no effect, or the other way round.
    alone: Vec<Uuid>,
}

/// Inbox and effects of one moment.
async fn halves(db: &DatabaseConnection) -> anyhow::Result<Halves> {
    let (mut effects, mut alone) = (Events::new(), Vec::new());
    for row in LIST_EFFECTS.all(db, ()).await? {
        if row.received != row.moment.is_some() {
            alone.push(row.event_id);
        }
        effects.extend(row.moment.map(|moment| (row.event_id, moment)));
    }
    Ok(Halves { effects, alone })
}

fn one_effect(known: &Events, halves: &Halves, topic: &Topic) -> Finding {
    // The table's key lets an event have one row at most; what can go wrong is a row without its other half.
    let Halves { effects, alone } = halves;
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

    /// How many of the events are missed, as sent ones and as those of effects, where the topic has the last one alone.
    fn missed(cut: Option<i64>, events: &[OrderEvent]) -> [u64; 2] {
        let topic = topic(cut, &events[events.len() - 1..]);
        let (all, alone) = (by_id(events), Vec::new());
        let halves = Halves {
            effects: all.clone(),
            alone,
        };
        let sent = same_events(&all, &all, &topic);
        [sent.broken, one_effect(&all, &halves, &topic).broken]
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
        let none = Events::new();
        assert_eq!(same_events(&none, &none, &topic).broken, 1);
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
