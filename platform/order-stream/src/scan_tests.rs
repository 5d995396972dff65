use std::collections::BTreeMap;

use futures::FutureExt as _;
use schema::event::{OrderEvent, OrderStatus};
use uuid::Uuid;

use super::*;
use crate::{
    replay::{Replay, Replayed},
    scope::Scope,
};

const EPOCH: Uuid = Uuid::from_u128(7);

fn cursor(next: [i64; 2]) -> Cursor {
    Cursor::new(EPOCH, &next)
}

fn bounds(high: [i64; 2]) -> Bounds {
    Bounds {
        low: vec![0, 0],
        high: high.to_vec(),
    }
}

/// Order 1 and 3 are of user 1, order 2 is of user 2.
fn record(partition: usize, offset: i64, order: i64, version: u32) -> Record<OrderEvent> {
    let user = if order == 2 { 2 } else { 1 };
    Record {
        partition,
        offset,
        epoch: Some(EPOCH),
        event: Some(OrderEvent {
            event_id: Uuid::nil(),
            order_id: order.try_into().unwrap(),
            user_id: user.try_into().unwrap(),
            version,
            status: OrderStatus::New,
            moment: chrono::DateTime::UNIX_EPOCH,
            skus: Vec::new(),
            traceparent: None,
        }),
    }
}

fn wanted(
    scope: Scope,
    begin: [i64; 2],
    aim: [i64; 2],
    buffer: usize,
) -> (Wanted<OrderEvent>, Replay<OrderEvent>) {
    let (replay, feed) = Replay::new(buffer);
    let wanted = Wanted {
        scope,
        begin: cursor(begin),
        aim: cursor(aim),
        feed,
    };
    (wanted, replay)
}

fn user(id: i64) -> Scope {
    Scope::of_user(id.try_into().unwrap())
}

/// What a reader got so far: (order, version) and the cursor behind each; and where it was let go.
fn got(replay: &mut Replay<OrderEvent>) -> (Vec<(i64, u32, Cursor)>, Option<Cursor>) {
    let mut events = Vec::new();
    loop {
        match replay.next().now_or_never().flatten() {
            Some(Replayed::Event(event, after)) => {
                events.push((event.order_id.get(), event.version, after));
            }
            Some(Replayed::Ended(Ended::At(place))) => return (events, Some(place)),
            Some(Replayed::Ended(Ended::Gone)) => panic!("nothing is gone"),
            None => return (events, None),
        }
    }
}

#[test]
fn each_gets_its_own_from_its_place_on_and_no_version_twice() {
    let (one, mut of_one) = wanted(user(1), [0, 0], [5, 3], 8);
    let (two, mut of_two) = wanted(user(2), [1, 1], [5, 3], 8);
    let mut passing =
        Passing::<OrderEvent>::from_the_lowest(&[], &bounds([9, 9]), Metrics::of("scan"));
    passing.join(one);
    passing.join(two);
    for record in [
        record(0, 0, 1, 1),
        record(1, 0, 2, 1), // before the second reader's place
        record(0, 1, 1, 2),
        record(0, 2, 1, 1), // a repeat
        record(1, 1, 2, 2),
        record(0, 3, 3, 1),
        record(0, 4, 2, 3),
        record(0, 5, 1, 3), // behind the aim
    ] {
        passing.take(record);
    }
    passing.let_go();
    let expected = vec![
        (1, 1, cursor([1, 0])),
        (1, 2, cursor([2, 1])),
        (3, 1, cursor([4, 2])),
    ];
    assert_eq!(got(&mut of_one), (expected, None));
    let expected = vec![(2, 2, cursor([3, 2])), (2, 3, cursor([5, 2]))];
    assert_eq!(got(&mut of_two), (expected, None));
    // The other partition's rest is nothing that was an event.
    assert!(passing.go_on_after(&KafkaError::PartitionEOF(1)));
    passing.let_go();
    assert_eq!(got(&mut of_one), (vec![], Some(cursor([5, 3]))));
    assert_eq!(got(&mut of_two), (vec![], Some(cursor([5, 3]))));
    assert!(passing.readers.is_empty());
    assert_eq!(passing.by_scope.len(), 0);
}

#[test]
fn whoever_is_not_passed_may_join_and_nobody_who_wants_more_than_there_was() {
    let mut passing =
        Passing::<OrderEvent>::from_the_lowest(&[], &bounds([5, 5]), Metrics::of("scan"));
    passing.take(record(0, 0, 1, 1));
    passing.take(record(0, 1, 1, 2));
    for (begin, aim, may) in [
        ([2, 0], [5, 5], true),
        ([3, 0], [5, 0], true),
        ([1, 0], [5, 5], false),
        ([2, 0], [6, 5], false),
    ] {
        let (wanted, _replay) = wanted(user(1), begin, aim, 1);
        assert_eq!(passing.is_before(&wanted), may, "{begin:?} {aim:?}");
    }
}

/// Seen red with a place behind the event that did not fit.
#[test]
fn a_reader_that_takes_nothing_is_let_go_before_what_does_not_fit_and_the_others_go_on() {
    let (slow, mut of_slow) = wanted(user(1), [0, 0], [9, 0], 2);
    let (quick, mut of_quick) = wanted(user(1), [0, 0], [9, 0], 8);
    let mut passing =
        Passing::<OrderEvent>::from_the_lowest(&[], &bounds([9, 9]), Metrics::of("scan"));
    passing.join(slow);
    passing.join(quick);
    for version in 1..=5 {
        passing.take(record(0, i64::from(version) - 1, 1, version));
    }
    let (events, place) = got(&mut of_slow);
    assert_eq!((events.len(), place), (2, Some(cursor([2, 0]))));
    assert_eq!(got(&mut of_quick).0.len(), 5);
    passing.end();
    assert_eq!(got(&mut of_quick), (vec![], Some(cursor([5, 0]))));
}

/// Any readers, joining anywhere, see what each would have seen alone.
#[test]
fn a_scan_gives_each_reader_what_a_scan_of_its_own_would() {
    let records = || {
        let mut versions = BTreeMap::<i64, u32>::new();
        (0..60_i64).map(move |at| {
            let order = at * 7 % 3 + 1;
            let version = versions.entry(order).or_default();
            // Every fifth is a repeat.
            *version += u32::from(at % 5 != 4 || *version == 0);
            record(usize::from(at % 2 == 1), at / 2, order, *version)
        })
    };
    let read = |begins: &[[i64; 2]]| {
        let wanted = |begin: &[i64; 2]| wanted(user(1), *begin, [30, 30], 100);
        let (mut wanting, mut replays): (Vec<_>, Vec<_>) = begins.iter().map(wanted).unzip();
        let mut passing = Passing::<OrderEvent>::from_the_lowest(
            &wanting,
            &bounds([30, 30]),
            Metrics::of("scan"),
        );
        for record in records() {
            // As late as it can: the next message is its first of a partition.
            let is_next =
                |it: &Wanted<OrderEvent>| (0..2).any(|p| it.begin.next(p) == passing.next[p]);
            let joining = wanting.extract_if(.., |it| passing.is_before(it) && is_next(it));
            for wanted in joining.collect::<Vec<_>>() {
                passing.join(wanted);
            }
            passing.take(record);
        }
        assert!(wanting.is_empty());
        passing.let_go();
        replays.iter_mut().map(got).collect::<Vec<_>>()
    };
    let begins = [[0, 0], [3, 2], [10, 12], [29, 30], [7, 0]];
    let together = read(&begins);
    for (begin, together) in begins.iter().zip(together) {
        let mut alone = read(&[[0, 0], *begin]);
        assert_eq!(alone.pop(), Some(together), "{begin:?}");
    }
}
