//! Filters: a reader gets what its filter finds, from every place, in the log and beyond it, and a gap as everybody does.

use futures::FutureExt as _;
use order_stream::{Caller, Cursor, Filter, Item, Reader, Scope, Selection as _};
use schema::event::OrderStatus;

use crate::{
    resume::{LARGE, ORDERS, TINY, VERSIONS, busy_topic, delete_below, start_text},
    topic::{LIMIT, Process, Topic, event, next, next_event},
};

fn filter(user: Option<i64>, status: Option<OrderStatus>, sku: Option<i64>) -> Scope {
    Scope::Orders(Filter {
        user: user.map(|id| id.try_into().unwrap()),
        status,
        sku: sku.map(|sku| sku.try_into().unwrap()),
    })
}

/// Each condition alone, combinations of them, and some that nothing meets.
fn filters() -> Vec<Scope> {
    let mut filters = Vec::new();
    for user in [None, Some(2), Some(9)] {
        for status in [None, Some(OrderStatus::Failed)] {
            for sku in [None, Some(11), Some(99), Some(500)] {
                filters.push(filter(user, status, sku));
            }
        }
    }
    filters
}

/// Every event of the topic in the order of one process, with the place behind it; the first place is before all.
async fn places(process: &Process) -> Vec<(Option<(i64, u32)>, Cursor)> {
    let begin = Cursor::parse(&start_text()).unwrap();
    let mut places = vec![(None, begin.clone())];
    let mut reader = process.from(Scope::ALL, &begin);
    for _ in 0..ORDERS * i64::from(VERSIONS) {
        let (event, cursor) = next_event(&mut reader).await;
        places.push((Some(event), cursor));
    }
    places
}

/// By order, because partitions may be merged anew.
fn sorted(mut events: Vec<(i64, u32)>) -> Vec<(i64, u32)> {
    events.sort_by_key(|(order, _)| *order);
    events
}

/// Reads what is expected, and then nothing more up to the end: what the reader did not find it has passed, so nothing of the
/// topic is read for it again.
async fn finds(mut reader: Reader, expected: Vec<(i64, u32)>, end: &Cursor) {
    let mut seen = Vec::new();
    for _ in 0..expected.len() {
        seen.push(next_event(&mut reader).await.0);
    }
    assert_eq!(sorted(seen), sorted(expected), "{reader:?}");
    testkit::eventually("it is at the end", LIMIT, async || {
        assert!(reader.next().now_or_never().is_none(), "{reader:?}");
        (reader.cursor().to_string() == end.to_string()).then_some(())
    })
    .await;
}

/// Takes a place of an unfiltered reader of one process and goes on with each filter on another: from the log, or by a scan or a
/// turn where the log holds next to nothing. Seen red with the events of a filter's first key taken for those of all its keys.
#[tokio::test]
async fn each_filter_finds_what_is_behind_any_place_and_nothing_else() {
    let topic = busy_topic().await;
    let here = topic.process(LARGE);
    here.end().await;
    let places = places(&here).await;
    for log_bytes in [LARGE, TINY] {
        let there = topic.process(log_bytes);
        let end = there.end().await;
        let mut reading = Vec::new();
        for (at, (_, place)) in places.iter().enumerate().step_by(7) {
            // Turns at the topic are shared out by caller.
            let caller = Caller(u64::try_from(at).unwrap());
            let behind = || places[at + 1..].iter().filter_map(|it| it.0);
            reading.extend(filters().into_iter().map(|scope| {
                let is_found =
                    |(order, version): &(i64, u32)| scope.contains(&event(*order, *version));
                let reader = there.from(scope, place).of(caller);
                finds(reader, behind().filter(is_found).collect(), &end)
            }));
        }
        futures::future::join_all(reading).await;
    }
}

/// A reader that nothing is told to moves on all the same, and takes up what comes then.
#[tokio::test]
async fn a_reader_whose_filter_finds_nothing_moves_on_with_the_log() {
    let topic = Topic::new(2).await;
    let process = topic.process(LARGE);
    let begin = process.end().await;
    let mut reader = process.from(filter(None, None, Some(12)), &begin);
    assert!(reader.next().now_or_never().is_none());
    for version in 1..=3 {
        topic.write(1, version).await;
    }
    let end = process.end().await;
    testkit::eventually("it has moved on", LIMIT, async || {
        reader.pass();
        (reader.cursor().to_string() == end.to_string()).then_some(())
    })
    .await;
    topic.write(2, 1).await;
    testkit::eventually("it is logged", LIMIT, async || {
        let mut other = process.from(Scope::ALL, &end);
        other.next().now_or_never()
    })
    .await
    .unwrap();
    // What it finds it does not pass.
    reader.pass();
    assert_eq!(reader.cursor().to_string(), end.to_string());
    assert_eq!(next_event(&mut reader).await.0, (2, 1));
}

/// A filter that would have found nothing of what is gone cannot know so.
#[tokio::test]
async fn deleted_records_are_a_gap_for_every_filter() {
    let topic = Topic::new(1).await;
    for version in 1..=10 {
        topic.write(1, version).await;
    }
    delete_below(&topic, 6).await;
    let process = topic.process(TINY);
    process.end().await;
    let begin = Cursor::parse(&start_text()).unwrap();
    for scope in filters() {
        let mut reader = process.from(scope, &begin);
        assert!(
            matches!(next(&mut reader).await, Item::Gap { .. }),
            "{scope:?}"
        );
    }
    let mut reader = process.from(filter(Some(2), None, Some(11)), &begin);
    next(&mut reader).await;
    topic.write(2, 1).await;
    topic.write(1, 11).await;
    assert_eq!(next_event(&mut reader).await.0, (1, 11));
}
