//! The orders behind the subgraphs, in memory: a test makes reading them wait and fail, and sees what was asked.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use parking_lot::Mutex;
use schema::event::OrderStatus;
use tokio::sync::Semaphore;

/// The orders that the fake loms knows.
#[derive(Clone, Default)]
pub(crate) struct Orders(pub(super) Arc<Inner>);

#[derive(Default)]
pub(super) struct Inner {
    pub(super) rows: Mutex<BTreeMap<i64, Row>>,
    /// Version and free units of the SKUs that have changed.
    pub(super) stock: Mutex<BTreeMap<i64, (u32, i32)>>,
    /// Where operations on one order wait, when set.
    pub(super) gate: Mutex<Option<(Moment, Arc<Semaphore>)>>,
    /// Operations that have come to the gate.
    pub(super) waiting: AtomicUsize,
    pub(super) paid: AtomicUsize,
    /// The header `Idempotency-Key` of each payment, as it came.
    pub(super) keys: Mutex<Vec<String>>,
    pub(super) padding: AtomicUsize,
    /// Entities that were asked for, and how many of the next of them cannot be read.
    pub(super) entities: AtomicUsize,
    pub(super) failing: AtomicUsize,
    /// How many of the next names of products cannot be read, and with which code.
    pub(super) nameless: Mutex<(usize, &'static str)>,
    /// Calls for entities: at which subgraph, and for how many.
    pub(super) calls: Mutex<Vec<(&'static str, usize)>>,
    pub(super) running: AtomicUsize,
    pub(super) most: AtomicUsize,
    /// How long such a call takes, and whether it comes to nothing.
    pub(super) slow: Mutex<Duration>,
    pub(super) is_away: AtomicBool,
}

/// When an operation meets the gate.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Moment {
    BeforeTheRow,
    AfterTheRow,
}

#[derive(Clone, Copy)]
pub(super) struct Row {
    pub(super) owner: i64,
    pub(super) version: u32,
    pub(super) status: OrderStatus,
}

impl Orders {
    /// The next version of an order.
    pub(crate) fn set(&self, id: i64, owner: i64, status: OrderStatus) -> u32 {
        let mut rows = self.0.rows.lock();
        let version = rows.get(&id).map_or(1, |row| row.version + 1);
        rows.insert(
            id,
            Row {
                owner,
                version,
                status,
            },
        );
        version
    }

    /// The next version of a SKU's free units.
    pub(crate) fn set_stock(&self, sku: i64, available: i32) -> u32 {
        let mut stock = self.0.stock.lock();
        let row = stock.entry(sku).or_default();
        *row = (row.0 + 1, available);
        row.0
    }

    /// Makes operations on one order wait until the gate is opened.
    pub(crate) fn gate(&self, moment: Moment) {
        *self.0.gate.lock() = Some((moment, Arc::new(Semaphore::new(0))));
    }

    pub(crate) fn open_gate(&self) {
        if let Some((_, gate)) = self.0.gate.lock().take() {
            gate.close();
        }
    }

    /// Returns when so many operations wait at the gate.
    pub(crate) async fn wait_at_the_gate(&self, count: usize) {
        let waiting = &self.0.waiting;
        testkit::eventually(
            "operations at the gate",
            Duration::from_secs(10),
            async || (waiting.load(SeqCst) == count).then_some(()),
        )
        .await;
    }

    /// The idempotency keys of the payments since the last call.
    pub(crate) fn take_keys(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.keys.lock())
    }

    pub(crate) fn paid(&self) -> usize {
        self.0.paid.load(SeqCst)
    }

    /// Lets the next so many orders that are asked for as entities fail.
    pub(crate) fn fail_entities(&self, count: usize) {
        self.0.failing.store(count, SeqCst);
    }

    /// Lets the next so many names of products fail with this code.
    pub(crate) fn fail_names(&self, count: usize, code: &'static str) {
        *self.0.nameless.lock() = (count, code);
    }

    /// Calls for entities since the last time, each with its subgraph and how many it asks for.
    pub(crate) fn take_calls(&self) -> Vec<(&'static str, usize)> {
        std::mem::take(&mut *self.0.calls.lock())
    }

    /// The most calls for entities that ran at once.
    pub(crate) fn most_calls(&self) -> usize {
        self.0.most.load(SeqCst)
    }

    /// Makes each call for entities take this long.
    pub(crate) fn slow_entities(&self, takes: Duration) {
        *self.0.slow.lock() = takes;
    }

    /// Whether calls for entities come to nothing.
    pub(crate) fn set_away(&self, is_away: bool) {
        self.0.is_away.store(is_away, SeqCst);
    }

    /// How many orders were asked for as entities.
    pub(crate) fn entities_read(&self) -> usize {
        self.0.entities.load(SeqCst)
    }

    /// Gives product names this many bytes.
    pub(crate) fn pad_names(&self, bytes: usize) {
        self.0.padding.store(bytes, SeqCst);
    }

    /// Waits at the gate, where there is one at this moment.
    pub(super) async fn pass(&self, here: Moment) {
        let gate = self.0.gate.lock().clone();
        if let Some((moment, gate)) = gate
            && moment == here
        {
            self.0.waiting.fetch_add(1, SeqCst);
            let _leaves = Leaves(&self.0.waiting);
            // The gate opens by being closed as a semaphore: nobody ever gets a permit.
            drop(gate.acquire().await);
        }
    }
}

/// An operation leaves the gate, by passing it or by being dropped.
struct Leaves<'a>(&'a AtomicUsize);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}
