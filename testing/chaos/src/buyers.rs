//! Buyers: an open, seeded load of mutations, each with a key and asked again until it is answered.
//!
//! Arrivals do not wait for answers, so a marketplace that stalls meets a crowd afterwards. One buyer has one checkout at
//! a time; what is added to the cart meanwhile must stay in it.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chassis::tasks::Tasks;
use load::{Ledger, Reply, Response};
use product_service::FIRST_GENERATED;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::clients::Clients;
use crate::journal::Journal;
use crate::mutation::{Mutation, Work};

/// SKUs that half of all purchases want, and the units that there are of each.
pub(crate) const HOT: u32 = 10;
pub(crate) const HOT_UNITS: i64 = 120;
/// SKUs that never run out.
pub(crate) const COLD: u32 = 1_000;
/// The first user; the next ones count on.
const FIRST_USER: i64 = 1_000;
/// Mutations under way at once; more arrivals wait.
const IN_FLIGHT_MAX: usize = 600;

/// A user with a token.
#[derive(Debug, Clone)]
pub(crate) struct Buyer {
    pub(crate) user: i64,
    pub(crate) token: String,
    /// A subscriber watches this user, who buys only what does not run out, and therefore keeps buying.
    pub(crate) watched: bool,
}

/// An order that may be paid or called off.
#[derive(Debug, Clone)]
struct Awaiting {
    buyer: Buyer,
    order: i64,
}

/// Everything that buyers share.
pub(crate) struct Buyers {
    pub(crate) clients: Clients,
    pub(crate) journal: Journal,
    /// What was answered to the users that subscribers watch.
    pub(crate) ledger: Ledger,
    tokens: Box<dyn Fn(i64) -> String + Send + Sync>,
    idle: Mutex<Vec<Buyer>>,
    idle_watched: Mutex<Vec<Buyer>>,
    awaiting: Mutex<Vec<Awaiting>>,
    next_user: AtomicI64,
    in_flight: AtomicUsize,
}

impl Buyers {
    /// Buyers at the marketplace of `clients`; `tokens` makes a user's token. The first `watched` users are subscribed to.
    pub(crate) fn new(
        clients: Clients,
        tokens: impl Fn(i64) -> String + Send + Sync + 'static,
        watched: usize,
    ) -> Self {
        let buyers = Self {
            clients,
            journal: Journal::default(),
            ledger: Ledger::default(),
            tokens: Box::new(tokens),
            idle: Mutex::default(),
            idle_watched: Mutex::default(),
            awaiting: Mutex::default(),
            next_user: AtomicI64::new(FIRST_USER),
            in_flight: AtomicUsize::new(0),
        };
        let first = (0..watched).map(|_| Buyer {
            watched: true,
            ..buyers.next_buyer()
        });
        *lock(&buyers.idle_watched) = first.collect();
        buyers
    }

    /// The users that are subscribed to, before any of them buys.
    pub(crate) fn watched(&self) -> Vec<Buyer> {
        lock(&self.idle_watched).clone()
    }

    /// Mutations under way.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Lets buyers arrive, `rate` a second on average, until `stop`; then waits for the last answers.
    pub(crate) async fn run(self: &Arc<Self>, seed: u64, rate: f64, stop: CancellationToken) {
        let mut random = StdRng::seed_from_u64(seed);
        let tasks = Tasks::new();
        let mut due = Instant::now();
        loop {
            // The gap between independent arrivals is exponential.
            let gap = -(1.0 - random.random::<f64>()).ln() / rate;
            due += Duration::from_secs_f64(gap);
            let draw = random.random();
            tokio::select! {
                () = stop.cancelled() => break,
                () = sleep_until(due) => {}
            }
            if self.in_flight() >= IN_FLIGHT_MAX {
                continue;
            }
            let buyers = Arc::clone(self);
            tasks.spawn("buyer", async move {
                buyers.in_flight.fetch_add(1, Ordering::Relaxed);
                buyers.arrive(StdRng::seed_from_u64(draw)).await;
                buyers.in_flight.fetch_sub(1, Ordering::Relaxed);
            });
        }
        // Each is patient for a while and then gives up by itself.
        let late = tasks.shutdown(Duration::from_secs(300)).await;
        assert!(late.is_empty(), "buyers give up by themselves");
    }

    /// 60 % buy, 25 % pay, 15 % call off.
    async fn arrive(&self, mut random: StdRng) {
        match random.random_range(0..100) {
            0..52 => self.buy(&mut random).await,
            52..60 => self.create(&mut random).await,
            60..85 => self.finish(&mut random, true).await,
            _ => self.finish(&mut random, false).await,
        }
    }

    async fn buy(&self, random: &mut StdRng) {
        let buyer = self.take(random);
        for _ in 0..random.random_range(1..=2) {
            let sku = if buyer.watched {
                draw_cold(random)
            } else {
                draw_sku(random)
            };
            let count = random.random_range(1..=3);
            self.ask(&buyer, Work::Add { sku, count }, random).await;
        }
        let mut other = StdRng::seed_from_u64(random.random());
        let later = async {
            if other.random_bool(0.2) {
                let (sku, count) = (draw_cold(&mut other), 1);
                self.ask(&buyer, Work::Add { sku, count }, &mut other).await;
            }
        };
        let (response, ()) = tokio::join!(self.ask(&buyer, Work::Checkout, random), later);
        self.await_payment(&buyer, &response);
        match &response.reply {
            Reply::Done(_) | Reply::Failed(_) => self.give_back(buyer),
            Reply::Refused(code) if code == "CART_EMPTY" => self.give_back(buyer),
            // What has run out stays in this cart: another buyer comes instead.
            Reply::Refused(_) => {}
        }
    }

    /// An order without a cart, of a user of its own, with one SKU on two lines.
    async fn create(&self, random: &mut StdRng) {
        let buyer = self.next_buyer();
        let (twice, once) = (draw_sku(random), draw_sku(random));
        let lines = vec![(twice, 1), (once, 2), (twice, 2), (draw_cold(random), 1)];
        let response = self.ask(&buyer, Work::Create(lines), random).await;
        self.await_payment(&buyer, &response);
    }

    fn await_payment(&self, buyer: &Buyer, response: &Response) {
        if let Some(order) = order_in(&response.reply) {
            lock(&self.awaiting).push(Awaiting {
                buyer: buyer.clone(),
                order,
            });
        }
    }

    /// Pays or calls off an order: half of the times the oldest, which is about to expire. A quarter does both at once.
    async fn finish(&self, random: &mut StdRng, pays: bool) {
        let taken = {
            let mut awaiting = lock(&self.awaiting);
            match awaiting.len() {
                0 => None,
                _ if random.random_bool(0.5) => Some(awaiting.remove(0)),
                length => Some(awaiting.swap_remove(random.random_range(0..length))),
            }
        };
        let Some(Awaiting { buyer, order }) = taken else {
            return;
        };
        if random.random_bool(0.25) {
            let mut other = StdRng::seed_from_u64(random.random());
            tokio::join!(
                self.ask(&buyer, Work::Pay(order), random),
                self.ask(&buyer, Work::Cancel(order), &mut other)
            );
            return;
        }
        let work = if pays {
            Work::Pay(order)
        } else {
            Work::Cancel(order)
        };
        self.ask(&buyer, work, random).await;
    }

    /// Sends a mutation by any protocol until it is answered, and notes the response.
    async fn ask(&self, buyer: &Buyer, work: Work, random: &mut StdRng) -> Response {
        let mutation = Mutation::new(buyer.user, &buyer.token, work, random);
        let response = self.clients.run(&mutation).await;
        if matches!(response.reply, Reply::Done(_)) {
            // An order that awaits payment has version 2; one that is paid or called off, 3.
            let version = match mutation.work {
                Work::Add { .. } => None,
                Work::Checkout | Work::Create(_) => order_in(&response.reply).map(|id| (id, 2)),
                Work::Pay(order) | Work::Cancel(order) => Some((order, 3)),
            };
            if let Some((order, version)) = version {
                let order = order.to_string();
                self.ledger.answered(buyer.user, &order, version);
            }
        }
        self.journal.note(mutation, &response);
        response
    }

    /// A buyer without a checkout in progress: in a third of all cases one with a stream.
    fn take(&self, random: &mut StdRng) -> Buyer {
        if random.random_bool(0.33)
            && let Some(watched) = lock(&self.idle_watched).pop()
        {
            return watched;
        }
        let mut idle = lock(&self.idle);
        match idle.len() {
            0 => self.next_buyer(),
            length => idle.swap_remove(random.random_range(0..length)),
        }
    }

    fn next_buyer(&self) -> Buyer {
        let user = self.next_user.fetch_add(1, Ordering::Relaxed);
        let token = (self.tokens)(user);
        Buyer {
            user,
            token,
            watched: false,
        }
    }

    fn give_back(&self, buyer: Buyer) {
        let idle = if buyer.watched {
            &self.idle_watched
        } else {
            &self.idle
        };
        lock(idle).push(buyer);
    }
}

fn draw_sku(random: &mut StdRng) -> i64 {
    if random.random_bool(0.5) {
        FIRST_GENERATED + i64::from(random.random_range(0..HOT))
    } else {
        draw_cold(random)
    }
}

fn draw_cold(random: &mut StdRng) -> i64 {
    FIRST_GENERATED + i64::from(HOT) + i64::from(random.random_range(0..COLD))
}

/// The order that a response names.
fn order_in(reply: &Reply) -> Option<i64> {
    match reply {
        Reply::Done(value) => value["order"]["id"].as_str()?.parse().ok(),
        Reply::Refused(_) | Reply::Failed(_) => None,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
