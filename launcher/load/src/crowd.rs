//! The idle shoppers. A shopper runs one operation at a time, as a person does.

use std::sync::Mutex;

use rand::Rng as _;
use rand::rngs::StdRng;

use crate::ledger::lock;
use crate::plan::Kind;
use crate::shopper::Shopper;

/// How many idle shoppers are considered to find one that can run the operation that is due.
const LOOKS: usize = 16;

/// Idle shoppers.
#[derive(Debug)]
pub(crate) struct Crowd(Mutex<Vec<Shopper>>);

impl Crowd {
    pub(crate) const fn new(shoppers: Vec<Shopper>) -> Self {
        Self(Mutex::new(shoppers))
    }

    /// Takes a shopper who can run this operation, or else any; `None` when all are busy.
    pub(crate) fn take(&self, kind: Kind, random: &mut StdRng) -> Option<Shopper> {
        let mut idle = lock(&self.0);
        if idle.is_empty() {
            return None;
        }
        let mut place = random.random_range(0..idle.len());
        for _ in 0..LOOKS {
            if idle[place].can(kind) {
                break;
            }
            place = (place + 1) % idle.len();
        }
        Some(idle.swap_remove(place))
    }

    /// Gives a shopper back.
    pub(crate) fn give_back(&self, shopper: Shopper) {
        lock(&self.0).push(shopper);
    }
}
