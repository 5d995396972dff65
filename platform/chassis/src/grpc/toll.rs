//! What gRPC's callers pay: a user with a token from the user's own budget, everybody else from the address's; the services of
//! the marketplace nothing, for their callers have paid at the router.
//!
//! A user whom only the message names does not pay: anybody could name another and spend that one's budget.

use std::{net::IpAddr, sync::Arc};

use super::bounds::class;
use crate::{
    admission::Priority,
    budget::{Account, Budget, Config, RateLimitKey},
    clock::Clock,
};

/// What a call costs that changes something; the router's cost of such an operation is about as much.
const CHANGE: u64 = 10;
/// What reading costs.
const READ: u64 = 2;

/// Charges the callers of a server. Clones share the budgets.
#[derive(Debug, Clone)]
pub struct Toll(Arc<Budget>);

impl Toll {
    /// Full budgets; `door` is the label of their metric and `setting` the group of settings that has them.
    #[must_use]
    pub fn new(door: &'static str, setting: &'static str, config: Config, clock: Clock) -> Self {
        Self(Arc::new(Budget::new(door, setting, config, clock)))
    }

    /// The account of who pays.
    pub(super) fn account(&self, key: RateLimitKey) -> Account {
        Account::new(Arc::clone(&self.0), key)
    }

    /// Charges an address for a call that was refused.
    pub(super) fn refused(&self, address: Option<IpAddr>) {
        self.0.spend(RateLimitKey::address(address), 1);
    }
}

/// What a call of that method costs at least; a long message costs more, which its handler knows.
pub(super) fn cost(path: &str) -> u64 {
    match class(path) {
        Priority::Payment | Priority::Mutation => CHANGE,
        Priority::Resume | Priority::Read | Priority::Anonymous => READ,
    }
}
