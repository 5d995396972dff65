//! Sends to a broker that fails as the test says.

use std::{
    collections::{HashMap, HashSet},
    future::{pending, ready},
    sync::{Arc, Mutex},
    time::Duration,
};

use super::{
    publish::{Fault, Flight},
    row::{Message, Unsent},
};
use proptest::prelude::*;

/// On the test's clock, which goes on by itself.
const LONG: Duration = Duration::from_hours(1);

fn row(id: i64, order: i64, version: u32) -> Unsent {
    let message = Message {
        key: order.to_string(),
        version,
        value: Vec::new(),
        headers: Vec::new(),
        traceparent: None,
    };
    Unsent { id, message }
}

/// Rows of a few orders, interleaved, versions ascending within each.
fn rows(orders: &[i64]) -> Vec<Unsent> {
    let mut versions = HashMap::<i64, u32>::new();
    let rows = orders.iter().zip(1..).map(|(order, id)| {
        let version = versions.entry(*order).or_default();
        *version += 1;
        row(id, *order, *version)
    });
    rows.collect()
}

proptest! {
    /// Seen red with an order's rows sent last one first, and with a failure that did not end its order.
    #[test]
    fn a_failed_send_holds_up_its_order_alone_and_never_lets_a_version_overtake(
        orders in prop::collection::vec(1..8_i64, 0..60),
        failing in prop::collection::hash_set((1..8_i64, 1..8_u32), 0..10),
    ) {
        let topic = Arc::new(Mutex::new(Vec::new()));
        let (taken, broken) = (Arc::clone(&topic), failing.clone());
        let mut flight = Flight::new(move |message: Message| {
            let place = (message.key.parse::<i64>().unwrap(), message.version);
            if broken.contains(&place) {
                return Box::pin(ready(Err(Fault::Broker)));
            }
            let mut topic = taken.lock().unwrap();
            topic.push(place);
            Box::pin(ready(Ok((0, i64::try_from(topic.len()).unwrap()))))
        });
        let all = rows(&orders);
        // As in a pass: the second page comes while the first is under way, and all that was not acknowledged comes again.
        let sent = on_a_clock(async {
            let (first, second) = all.split_at(all.len() / 2);
            flight.add(first.to_vec());
            flight.add(second.to_vec());
            let mut sent = flight.land(LONG).await;
            let is_acked = |row: &Unsent| sent.acked.iter().any(|it| it.id == row.id);
            flight.add(all.iter().filter(|row| !is_acked(row)).cloned().collect());
            let later = flight.land(LONG).await;
            sent.acked.extend(later.acked);
            sent.faults += later.faults;
            sent
        });
        let topic = topic.lock().unwrap();
        let came: HashSet<(i64, u32)> = all.iter()
            .map(|row| (row.message.key.parse().unwrap(), row.message.version)).collect();
        let failed: HashSet<i64> = failing.intersection(&came).map(|(order, _)| *order).collect();
        for order in 1..8_i64 {
            let failures = failing.iter().filter(|(failing, _)| *failing == order);
            let limit = failures.map(|(_, version)| *version).min().unwrap_or(u32::MAX);
            let expected: Vec<u32> = all.iter().map(|row| &row.message)
                .filter(|message| message.key == order.to_string() && message.version < limit)
                .map(|message| message.version).collect();
            let seen: Vec<u32> = topic.iter()
                .filter(|(id, _)| *id == order).map(|(_, version)| *version).collect();
            prop_assert_eq!(seen, expected);
        }
        prop_assert_eq!(sent.acked.len(), topic.len());
        prop_assert_eq!(sent.faults.of_broker, failed.len());
    }
}

/// Seen red with rows of an entity sent that is under way.
#[test]
fn an_entity_that_waits_is_left_out_and_holds_up_nobody() {
    let mut flight = Flight::new(|message: Message| {
        if message.key == "1" {
            return Box::pin(pending());
        }
        Box::pin(ready(Ok((0, 0))))
    });
    on_a_clock(async {
        flight.add(rows(&[1, 2]));
        let sent = flight.land(LONG).await;
        assert_eq!(sent.acked.iter().map(|it| it.id).collect::<Vec<_>>(), [2]);
        flight.add(vec![row(1, 1, 1), row(3, 1, 2), row(4, 2, 2)]);
        assert_eq!(flight.rows(), 2);
        let sent = flight.land(LONG).await;
        assert_eq!(sent.acked.iter().map(|it| it.id).collect::<Vec<_>>(), [4]);
        assert_eq!((flight.rows(), sent.faults.all()), (1, 0));
    });
}

/// Runs to the end on a clock that jumps when nothing else is to be done.
fn on_a_clock<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(work)
}
