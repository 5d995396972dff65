//! One page against a broker that fails as the test says.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    future::ready,
};

use super::{
    publish::{Fault, Sent, send_page},
    row::{Message, Unsent},
};
use proptest::prelude::*;

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
        let topic = RefCell::new(Vec::new());
        let mut blocked = HashSet::new();
        let send = |message: Message| {
            let place = (message.key.parse::<i64>().unwrap(), message.version);
            if failing.contains(&place) {
                return ready(Err(Fault::Broker));
            }
            topic.borrow_mut().push(place);
            ready(Ok((0, i64::try_from(topic.borrow().len()).unwrap())))
        };
        let all = rows(&orders);
        let sent = futures::executor::block_on(send_page(all.clone(), &mut blocked, send));
        for order in 1..8_i64 {
            let failures = failing.iter().filter(|(failing, _)| *failing == order);
            let limit = failures.map(|(_, version)| *version).min().unwrap_or(u32::MAX);
            let expected: Vec<u32> = all.iter().map(|row| &row.message)
                .filter(|message| message.key == order.to_string() && message.version < limit)
                .map(|message| message.version).collect();
            let seen: Vec<u32> = topic.borrow().iter()
                .filter(|(id, _)| *id == order).map(|(_, version)| *version).collect();
            prop_assert_eq!(seen, expected);
        }
        prop_assert_eq!(sent.acked.len(), topic.borrow().len());
        prop_assert_eq!(sent.broker_faults, blocked.len());
    }
}

#[test]
fn a_blocked_order_is_left_out_of_the_next_page() {
    let mut blocked = HashSet::from(["1".to_owned()]);
    let send = |_: Message| ready(Ok((0, 0)));
    let sent: Sent = futures::executor::block_on(send_page(rows(&[1, 2, 1]), &mut blocked, send));
    assert_eq!(
        sent.acked.iter().map(|acked| acked.id).collect::<Vec<_>>(),
        [2]
    );
}
