//! The log against a model: however processes merge the partitions, a cursor of one is exact on the other.

use std::collections::HashMap;

use proptest::prelude::*;
use schema::{
    event::{OrderEvent, OrderStatus},
    id::OrderId,
};

use super::*;
use crate::{
    event::Selection as _,
    scope::{Filter, Scope},
};

type OrderLog = Log<OrderEvent>;
type OrderWaiters = Waiters<OrderEvent>;

/// A topic: what stands in each partition, repeats and foreign messages included.
#[derive(Debug, Clone)]
struct Topic {
    partitions: Vec<Vec<Option<OrderEvent>>>,
}

impl Topic {
    /// Builds a topic from steps (order, repeat): a step appends the order's next version, or the last one again.
    fn of(partitions: usize, steps: &[(usize, u8)]) -> Self {
        let mut topic = Self {
            partitions: vec![Vec::new(); partitions],
        };
        let mut versions = HashMap::<usize, u32>::new();
        for (order, kind) in steps {
            let version = versions.entry(*order).or_default();
            let messages = &mut topic.partitions[order % partitions];
            match kind {
                0 => messages.push(None),
                1 if *version > 0 => messages.push(Some(event(*order, *version))),
                _ => {
                    *version += 1;
                    messages.push(Some(event(*order, *version)));
                }
            }
        }
        topic
    }

    /// A process that read everything, taking the partitions' turns as `merge` says.
    fn read(&self, merge: &[usize], limit: usize) -> (OrderLog, OrderWaiters) {
        let (mut log, waiters) = (OrderLog::new(limit), OrderWaiters::default());
        log.start_over(&vec![0; self.partitions.len()], EPOCH);
        log.set_live();
        let mut taken = vec![0; self.partitions.len()];
        let turns = merge.iter().copied().cycle();
        let total: usize = self.partitions.iter().map(Vec::len).sum();
        let mut done = 0;
        for (turn, skip) in turns.zip(0_usize..) {
            if done == total {
                break;
            }
            let partition = (turn + skip / merge.len()) % self.partitions.len();
            let index = taken[partition];
            let Some(event) = self.partitions[partition].get(index).cloned() else {
                continue;
            };
            taken[partition] += 1;
            done += 1;
            let offset = i64::try_from(index).unwrap();
            log.append(
                Record {
                    partition,
                    offset,
                    epoch: Some(EPOCH),
                    event,
                },
                &waiters,
            );
        }
        (log, waiters)
    }

    /// What a reader of the scope must see, in any order that keeps each order's.
    fn expected(&self, scope: Scope) -> Vec<(OrderId, u32)> {
        let events = self
            .partitions
            .iter()
            .flatten()
            .flatten()
            .filter(|it| scope.contains(it));
        let mut expected: Vec<_> = events.map(|it| (it.order_id, it.version)).collect();
        expected.sort_unstable();
        expected.dedup();
        expected
    }
}

const EPOCH: Uuid = Uuid::from_u128(7);

fn event(order: usize, version: u32) -> OrderEvent {
    let order = i64::try_from(order).unwrap() + 1;
    let skus = [10 + order % 2, 20 + order % 3];
    OrderEvent {
        event_id: Uuid::from_u128(order.unsigned_abs().into()),
        order_id: order.try_into().unwrap(),
        user_id: (order % 3 + 1).try_into().unwrap(),
        version,
        status: OrderStatus::ALL[usize::try_from(version).unwrap() % 3],
        moment: chrono::DateTime::UNIX_EPOCH,
        skus: skus.map(|sku| sku.try_into().unwrap()).to_vec(),
        traceparent: None,
    }
}

/// Reads at most `count` events from the cursor on.
fn read(
    (log, waiters): &(OrderLog, OrderWaiters),
    scope: Scope,
    cursor: &Cursor,
    count: usize,
) -> (Vec<(OrderId, u32)>, Cursor) {
    let waiter = waiters.join(&scope);
    let mut position = log.position(cursor).expect("the log has everything");
    let (mut seen, mut cursor) = (Vec::new(), cursor.clone());
    while seen.len() < count {
        match log.poll(&scope, &mut position, &waiter) {
            Polled::Event(event, after) => {
                seen.push((event.order_id, event.version));
                cursor = after;
            }
            Polled::AtEnd(after) => {
                cursor = after;
                break;
            }
            Polled::Lost => panic!("nothing was evicted"),
        }
    }
    (seen, cursor)
}

fn scopes() -> impl Strategy<Value = Scope> {
    prop_oneof![
        Just(Scope::ALL),
        (1..6_i64).prop_map(|id| Scope::Order(id.try_into().unwrap())),
        (1..4_i64).prop_map(|id| Scope::of_user(id.try_into().unwrap())),
        filters(),
    ]
}

/// Any combination, also of what no event has.
fn filters() -> impl Strategy<Value = Scope> {
    let user = prop::option::of(1..5_i64);
    let status = prop::option::of(0..4_usize);
    let sku = prop::option::of(prop::sample::select(vec![10_i64, 11, 20, 21, 22, 23]));
    (user, status, sku).prop_map(|(user, status, sku)| {
        Scope::Orders(Filter {
            user: user.map(|id| id.try_into().unwrap()),
            status: status.map(|at| OrderStatus::ALL[at]),
            sku: sku.map(|sku| sku.try_into().unwrap()),
        })
    })
}

fn begin() -> Cursor {
    Cursor::new(EPOCH, &[])
}

proptest! {
    /// Seen red with the floor dropped at the first event, with a cursor that forgets the floor, and with the events of a
    /// filter's first key taken for those of all its keys.
    #[test]
    fn a_reader_that_changes_process_at_any_place_misses_and_repeats_nothing(
        partitions in 1..4_usize,
        steps in prop::collection::vec((0..6_usize, 0..6_u8), 0..60),
        merges in prop::collection::vec(prop::collection::vec(0..4_usize, 1..12), 3),
        cuts in prop::collection::vec(0..20_usize, 1..6),
        scope in scopes(),
    ) {
        let topic = Topic::of(partitions, &steps);
        // Large enough for all, in segments of a few events.
        let limit = 256 * 1024;
        let processes: Vec<_> = merges.iter().map(|merge| topic.read(merge, limit)).collect();
        let (mut seen, mut cursor) = (Vec::new(), begin());
        for (hop, cut) in cuts.iter().chain([&usize::MAX]).enumerate() {
            let wire = cursor.to_string();
            let resumed = Cursor::parse(&wire).unwrap();
            let (part, after) = read(&processes[hop % processes.len()], scope, &resumed, *cut);
            seen.extend(part);
            cursor = after;
        }
        let mut last = HashMap::new();
        for (order, version) in &seen {
            let before = last.insert(*order, *version).unwrap_or(0);
            prop_assert!(before < *version, "order {} went from {} to {}", order, before, version);
        }
        seen.sort_unstable();
        prop_assert_eq!(seen, topic.expected(scope));
    }

    #[test]
    fn the_log_stays_within_its_limit_and_says_what_it_no_longer_has(
        steps in prop::collection::vec((0..6_usize, 2..6_u8), 40..200),
        merge in prop::collection::vec(0..4_usize, 1..12),
    ) {
        let limit = 16 * 1024;
        let topic = Topic::of(2, &steps);
        let (log, waiters) = topic.read(&merge, limit);
        prop_assert!(log.bytes() <= limit + limit / SEGMENTS + 1024);
        let evicted = log.start != begin();
        prop_assert_eq!(log.position(&begin()).is_none(), evicted);
        let (seen, _) = read(&(log, waiters), Scope::ALL, &topic.read(&merge, limit).0.start, usize::MAX);
        let expected = topic.expected(Scope::ALL);
        prop_assert!(seen.len() <= expected.len());
        prop_assert!(evicted || seen.len() == expected.len());
    }
}

proptest! {
    /// A place is of the log and of no filter: whoever goes on with another filter gets what that one finds behind it.
    #[test]
    fn a_reader_that_changes_its_filter_at_any_place_gets_what_is_behind_it(
        steps in prop::collection::vec((0..6_usize, 0..6_u8), 0..60),
        merge in prop::collection::vec(0..4_usize, 1..12),
        cut in 0..20_usize,
        before in filters(),
        after in filters(),
    ) {
        let topic = Topic::of(2, &steps);
        let log = topic.read(&merge, 256 * 1024);
        let (_, place) = read(&log, before, &begin(), cut);
        let (seen, end) = read(&log, after, &place, usize::MAX);
        let (all, _) = read(&log, Scope::ALL, &place, usize::MAX);
        let is_in_scope = |(order, version): &(OrderId, u32)| {
            let order = usize::try_from(order.get() - 1).unwrap();
            after.contains(&event(order, *version))
        };
        prop_assert_eq!(seen, all.into_iter().filter(is_in_scope).collect::<Vec<_>>());
        prop_assert_eq!(end, log.0.end());
    }
}

fn record(
    partition: usize,
    offset: i64,
    order: usize,
    version: u32,
    epoch: Uuid,
) -> Record<OrderEvent> {
    Record {
        partition,
        offset,
        epoch: Some(epoch),
        event: Some(event(order, version)),
    }
}

fn small_log() -> (OrderLog, OrderWaiters) {
    let mut log = OrderLog::new(8 * 1024);
    log.start_over(&[0], EPOCH);
    log.set_live();
    (log, OrderWaiters::default())
}

#[test]
fn a_reader_that_waits_is_not_lost_when_what_was_evicted_is_not_in_its_scope() {
    let (mut log, waiters) = small_log();
    let scope = Scope::Order(1.try_into().unwrap());
    let waiter = waiters.join(&scope);
    let mut position = log.position(&log.end()).unwrap();
    assert!(matches!(
        log.poll(&scope, &mut position, &waiter),
        Polled::AtEnd(_)
    ));
    for offset in 0..500 {
        log.append(
            record(0, offset, 5, u32::try_from(offset).unwrap() + 1, EPOCH),
            &waiters,
        );
    }
    assert!(
        !log.start.offsets().is_empty(),
        "the log has evicted something"
    );
    let Polled::AtEnd(cursor) = log.poll(&scope, &mut position, &waiter) else {
        panic!("lost")
    };
    assert_eq!(cursor, log.end());
}

/// Seen red with `matched_since` always false: the reader went on behind events of its own.
#[test]
fn a_reader_whose_events_were_evicted_is_sent_back_to_the_topic() {
    let (mut log, waiters) = small_log();
    let scope = Scope::Order(6.try_into().unwrap());
    let waiter = waiters.join(&scope);
    let mut position = log.position(&log.end()).unwrap();
    for offset in 0..500 {
        log.append(
            record(0, offset, 5, u32::try_from(offset).unwrap() + 1, EPOCH),
            &waiters,
        );
    }
    assert!(matches!(
        log.poll(&scope, &mut position, &waiter),
        Polled::Lost
    ));
}

#[test]
fn a_new_epoch_in_a_live_log_changes_nothing_until_it_is_started_over() {
    let (mut log, waiters) = small_log();
    let next = Uuid::from_u128(8);
    let waiter = waiters.join(&Scope::ALL);
    let mut position = log.position(&log.end()).unwrap();
    assert_eq!(
        log.append(record(0, 0, 1, 1, next), &waiters),
        Appended::NewEpoch(next)
    );
    assert_eq!(log.end(), begin());
    log.start_over(&[0], next);
    assert!(matches!(
        log.poll(&Scope::ALL, &mut position, &waiter),
        Polled::Lost
    ));
    assert_eq!(
        log.append(record(0, 0, 1, 1, next), &waiters),
        Appended::Kept
    );
    assert_eq!(log.end().epoch(), next);
}

#[test]
fn records_below_the_start_teach_versions_and_are_not_delivered() {
    let (mut log, waiters) = (OrderLog::new(1 << 20), OrderWaiters::default());
    log.start_over(&[2], EPOCH);
    let appended = [(0, 1), (1, 2), (2, 2), (3, 3)]
        .map(|(offset, version)| log.append(record(0, offset, 1, version, EPOCH), &waiters));
    assert_eq!(
        appended,
        [
            Appended::Passed,
            Appended::Passed,
            Appended::Passed,
            Appended::Kept
        ]
    );
    assert_eq!(log.end(), Cursor::new(EPOCH, &[4]));
}

#[test]
fn only_readers_of_an_event_s_scopes_are_told_of_it() {
    let (mut log, waiters) = small_log();
    let (mine, other) = (
        Scope::Order(2.try_into().unwrap()),
        Scope::Order(3.try_into().unwrap()),
    );
    let (mine_waiter, other_waiter) = (waiters.join(&mine), waiters.join(&other));
    log.append(record(0, 0, 1, 1, EPOCH), &waiters);
    assert!(mine_waiter.matched_since(0));
    assert!(!other_waiter.matched_since(0));
    waiters.leave(&mine, mine_waiter);
    assert_eq!(waiters.len(), 1);
}
