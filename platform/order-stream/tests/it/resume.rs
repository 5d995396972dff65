//! Cursors: exact on every process, in the log and beyond it; a gap where the topic has nothing to give.

use std::{collections::BTreeMap, time::Duration};

use order_stream::{Caller, Cursor, Item, Scope};
use rdkafka::{
    Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
};
use uuid::Uuid;

use crate::topic::{EPOCH, LIMIT, Topic, next, next_event, order};

/// A log that holds everything the tests write.
pub(crate) const LARGE: usize = 16 * 1024 * 1024;
/// A log that holds next to nothing, so that readers go back to the topic.
pub(crate) const TINY: usize = 1;

pub(crate) const ORDERS: i64 = 6;
pub(crate) const VERSIONS: u32 = 5;

/// All versions of a few orders over two partitions, with repeats and noise between them.
pub(crate) async fn busy_topic() -> Topic {
    let topic = Topic::new(2).await;
    for version in 1..=VERSIONS {
        for order in 1..=ORDERS {
            topic.write(order, version).await;
            if version % 2 == 0 {
                topic.write(order, version - 1).await;
                topic.write_noise(&order.to_string()).await;
            }
        }
    }
    topic
}

fn assert_exact(seen: &[(i64, u32)]) {
    let mut versions = BTreeMap::<i64, Vec<u32>>::new();
    for (order, version) in seen {
        versions.entry(*order).or_default().push(*version);
    }
    let expected: Vec<u32> = (1..=VERSIONS).collect();
    assert_eq!(versions.len(), usize::try_from(ORDERS).unwrap());
    assert!(
        versions.values().all(|seen| *seen == expected),
        "{versions:?}"
    );
}

/// Reads `first` events on one process and the rest on another, for every `first`.
async fn resume_at_every_place(here: usize, there: usize) {
    let topic = busy_topic().await;
    let (here, there) = (topic.process(here), topic.process(there));
    here.end().await;
    there.end().await;
    let begin = Cursor::parse(&start_text()).unwrap();
    let total = usize::try_from(ORDERS).unwrap() * usize::try_from(VERSIONS).unwrap();
    for first in 0..=total {
        let (mut seen, mut cursor) = (Vec::new(), begin.clone());
        let mut reader = here.from(Scope::ALL, &cursor);
        while seen.len() < first {
            let (event, after) = next_event(&mut reader).await;
            seen.push(event);
            cursor = after;
        }
        let mut reader = there.from(Scope::ALL, &cursor);
        while seen.len() < total {
            seen.push(next_event(&mut reader).await.0);
        }
        assert_exact(&seen);
    }
}

/// Without its topic's epoch a place would be good in any later topic. Seen red with the end as the broker tells it.
#[tokio::test]
async fn the_end_of_a_topic_whose_first_event_just_came_has_the_topics_epoch() {
    for _ in 0..10 {
        let topic = Topic::new(1).await;
        let process = topic.process(LARGE);
        process.end().await;
        topic.write(1, 1).await;
        let end = process.stream.end_cursor().await.unwrap();
        assert_eq!(format!("{end:?}"), format!("Cursor({EPOCH}, [1])"));
    }
}

/// The cursor before everything, as a client would hold it.
pub(crate) fn start_text() -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.encode([[1].as_slice(), EPOCH.as_bytes(), &[0]].concat())
}

#[tokio::test]
async fn a_reader_resumes_exactly_on_another_process_at_every_place() {
    resume_at_every_place(LARGE, LARGE).await;
}

/// Seen red with the replay's preamble left out: a repeat behind the cursor came as news.
#[tokio::test]
async fn a_reader_behind_the_log_reads_the_topic_and_misses_and_repeats_nothing() {
    resume_at_every_place(LARGE, TINY).await;
}

#[tokio::test]
async fn a_reader_goes_from_the_topic_into_the_log_and_on_to_new_events() {
    let topic = busy_topic().await;
    let process = topic.process(TINY);
    process.end().await;
    let begin = Cursor::parse(&start_text()).unwrap();
    let mut reader = process.from(Scope::Order(order(2)), &begin);
    for version in 1..=VERSIONS {
        assert_eq!(next_event(&mut reader).await.0, (2, version));
    }
    topic.write(3, VERSIONS + 1).await;
    topic.write(2, VERSIONS + 1).await;
    assert_eq!(next_event(&mut reader).await.0, (2, VERSIONS + 1));
}

#[tokio::test]
async fn scopes_see_their_events_alone() {
    let topic = Topic::new(2).await;
    let process = topic.process(LARGE);
    let end = process.end().await;
    let mut one = process.from(Scope::Order(order(4)), &end);
    let mut user = process.from(Scope::of_user(2.try_into().unwrap()), &end);
    let mut all = process.from(Scope::ALL, &end);
    for id in [3, 1, 4, 6, 7] {
        topic.write(id, 1).await;
    }
    assert_eq!(next_event(&mut one).await.0, (4, 1));
    let mut users = [0; 3];
    for seen in &mut users {
        *seen = next_event(&mut user).await.0.0;
    }
    users.sort_unstable();
    assert_eq!(users, [1, 4, 7]);
    for _ in 0..5 {
        next_event(&mut all).await;
    }
}

#[tokio::test]
async fn what_was_acknowledged_before_the_call_is_behind_the_end_cursor() {
    let topic = Topic::new(2).await;
    let process = topic.process(LARGE);
    process.end().await;
    for version in 1..20 {
        topic.write(1, version).await;
        let end = process.stream.end_cursor().await.unwrap();
        let mut reader = process.from(Scope::ALL, &end);
        topic.write(2, version).await;
        assert_eq!(next_event(&mut reader).await.0, (2, version));
    }
}

#[tokio::test]
async fn a_reader_dropped_in_the_middle_of_a_wait_loses_nothing() {
    let topic = Topic::new(1).await;
    let process = topic.process(LARGE);
    let mut reader = process.from(Scope::ALL, &process.end().await);
    for version in 1..10 {
        let dropped = tokio::time::timeout(Duration::from_millis(1), reader.next()).await;
        assert!(dropped.is_err(), "nothing was written yet");
        topic.write(1, version).await;
        assert_eq!(next_event(&mut reader).await.0, (1, version));
    }
}

#[tokio::test]
async fn deleted_records_are_a_gap_and_the_reader_goes_on_behind_it() {
    let topic = Topic::new(1).await;
    for version in 1..=10 {
        topic.write(1, version).await;
    }
    delete_below(&topic, 6).await;
    let process = topic.process(TINY);
    process.end().await;
    let begin = Cursor::parse(&start_text()).unwrap();
    let mut reader = process.from(Scope::ALL, &begin);
    let Item::Gap { cursor } = next(&mut reader).await else {
        panic!("no gap")
    };
    assert_eq!(cursor.to_string(), process.end().await.to_string());
    topic.write(1, 11).await;
    assert_eq!(next_event(&mut reader).await.0, (1, 11));
}

#[tokio::test]
async fn a_place_past_the_end_is_a_gap() {
    let (long, short) = (Topic::new(1).await, Topic::new(1).await);
    for version in 1..=5 {
        long.write(1, version).await;
    }
    short.write(1, 1).await;
    let far = long.process(LARGE).end().await;
    let process = short.process(LARGE);
    let mut reader = process.from(Scope::ALL, &far);
    assert!(matches!(next(&mut reader).await, Item::Gap { .. }));
    short.write(1, 2).await;
    assert_eq!(next_event(&mut reader).await.0, (1, 2));
}

/// Seen red with the comparison of epochs left out: the offsets alone look right.
#[tokio::test]
async fn a_cursor_of_another_stream_is_a_gap() {
    let topic = Topic::new(1).await;
    topic.write(1, 1).await;
    topic.write(1, 2).await;
    let old = topic.process(LARGE);
    let mut waiting = old.from(Scope::ALL, &old.end().await);
    let cursor = old.end().await;
    topic.write_in(Uuid::from_u128(8), 1, 1).await;
    let process = topic.process(LARGE);
    process.end().await;
    assert!(matches!(
        next(&mut process.from(Scope::ALL, &cursor)).await,
        Item::Gap { .. }
    ));
    // A reader that was there when the stream changed is told too.
    assert!(matches!(next(&mut waiting).await, Item::Gap { .. }));
    let fresh = process.end().await;
    let mut reader = process.from(Scope::ALL, &fresh);
    topic.write_in(Uuid::from_u128(8), 1, 2).await;
    assert_eq!(next_event(&mut reader).await.0, (1, 2));
}

pub(crate) async fn delete_below(topic: &Topic, offset: i64) {
    let admin: AdminClient<DefaultClientContext> = chassis::kafka::admin(&topic.kafka).unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&topic.kafka.topic, 0, Offset::Offset(offset))
        .unwrap();
    let options = AdminOptions::new().operation_timeout(Some(LIMIT));
    admin.delete_records(&list, &options).await.unwrap();
}

/// Readers whose clients take nothing stand in nobody's way, of their caller or of another.
#[tokio::test]
async fn unread_readers_of_the_topic_keep_nobody_from_it() {
    const UNREAD: usize = 40;
    const MANY: u32 = 150;
    let topic = Topic::new(2).await;
    let written = (1..=MANY).map(|version| topic.write(1, version));
    futures::future::join_all(written).await;
    let process = topic.process(TINY);
    process.end().await;
    let begin = Cursor::parse(&start_text()).unwrap();
    let reader = |caller| process.from(Scope::ALL, &begin).of(Caller(caller));
    let mut unread: Vec<_> = (0..UNREAD).map(|_| reader(1)).collect();
    for reader in &mut unread {
        // The first event shows that its turn has begun; there are more than a buffer holds.
        next_event(reader).await;
    }
    for caller in [1, 2] {
        let mut reader = reader(caller);
        for _ in 0..MANY {
            next_event(&mut reader).await;
        }
    }
    // Those that waited have lost nothing.
    for reader in unread.iter_mut().take(2) {
        for _ in 1..MANY {
            next_event(reader).await;
        }
    }
}

/// A topic may end in the markers of a transaction: its end is then behind its last record.
#[tokio::test]
async fn a_stream_at_the_end_of_a_topic_that_ends_in_markers_hears_the_next_event() {
    let topic = Topic::new(2).await;
    topic.write(1, 1).await;
    let running = topic.process(LARGE);
    running.end().await;
    topic.abort_a_transaction(2).await;
    let started_after = topic.process(LARGE);
    let mut version = 1;
    for process in [&running, &started_after] {
        let mut reader = process.from(Scope::ALL, &process.end().await);
        version += 1;
        let (heard, _) = tokio::join!(next_event(&mut reader), topic.write(1, version));
        assert_eq!(heard.0, (1, version));
    }
    testkit::eventually("nothing is unread", LIMIT, async || {
        let lag = topic.metric("marketplace_stream_lag_messages");
        (lag.as_deref() == Some("0") && running.health.missing().is_empty()).then_some(())
    })
    .await;
}

/// Fails with a scan that begins at the first reader's place instead of the lowest.
#[tokio::test]
async fn readers_behind_the_log_share_scans_and_each_sees_its_own() {
    let topic = busy_topic().await;
    let (large, tiny) = (topic.process(LARGE), topic.process(TINY));
    large.end().await;
    tiny.end().await;
    let begin = Cursor::parse(&start_text()).unwrap();
    let mut places = vec![(None, begin.clone())];
    let mut reader = large.from(Scope::ALL, &begin);
    for _ in 0..ORDERS * i64::from(VERSIONS) {
        let (event, cursor) = next_event(&mut reader).await;
        places.push((Some(event), cursor));
    }
    let scans = || {
        let count = topic.metric("marketplace_stream_scans_total");
        count
            .and_then(|count| count.parse::<usize>().ok())
            .unwrap_or(0)
    };
    let before = scans();
    let from_everywhere = (0..places.len())
        .rev()
        .flat_map(|at| (1..=3).map(move |user| (at, user)));
    let reading = from_everywhere.map(|(at, user)| {
        let behind = places[at + 1..].iter().filter_map(|(event, _)| *event);
        let mut expected: Vec<_> = behind.filter(|(order, _)| order % 3 + 1 == user).collect();
        let scope = Scope::of_user(user.try_into().unwrap());
        let mut reader = tiny.from(scope, &places[at].1);
        async move {
            let mut seen = Vec::new();
            for _ in 0..expected.len() {
                seen.push(next_event(&mut reader).await.0);
            }
            // By order, so that versions that came in another order would show.
            seen.sort_by_key(|(order, _)| *order);
            expected.sort_by_key(|(order, _)| *order);
            assert_eq!(seen, expected, "user {user} from place {at}");
        }
    });
    futures::future::join_all(reading).await;
    let scans = scans() - before;
    assert!(
        scans <= 20,
        "{} readers took {scans} scans",
        places.len() * 3
    );
}
