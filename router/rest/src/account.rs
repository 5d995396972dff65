//! Who pays for a call: the address that it comes from.
//!
//! Not the user whom the call names: it has no token, so anybody could name another and spend that one's budget. What a call
//! costs is known when its operation is prepared (`graph.rs`); a call that is refused costs 1.

use std::sync::Arc;

use axum::{extract::Request, http::StatusCode};
use chassis::{
    budget::{self, Account, Budget, RateLimitKey},
    clock::Clock,
};
use ipnet::IpNet;

/// What operators read, which must answer whoever spends what.
const FREE: &str = "/metrics";

/// The accounts of all addresses. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Accounts {
    budget: Arc<Budget>,
    proxies: Arc<[IpNet]>,
}

impl Accounts {
    /// Full accounts; `proxies` are ours and say who is behind them.
    pub(super) fn new(config: budget::Config, clock: Clock, proxies: Vec<IpNet>) -> Self {
        let budget = Budget::new("rest", "router.rest.rate_limit", config, clock);
        Self {
            budget: Arc::new(budget),
            proxies: proxies.into(),
        }
    }

    /// Who pays for a request; `None` for one that is free.
    pub(super) fn of(&self, request: &Request) -> Option<Account> {
        if request.uri().path() == FREE {
            return None;
        }
        let peer = budget::peer(request.extensions());
        let address =
            peer.map(|peer| budget::behind_proxies(peer, request.headers(), &self.proxies));
        let key = RateLimitKey::address(address);
        Some(Account::new(Arc::clone(&self.budget), key))
    }
}

/// Charges a call that was refused.
pub(super) fn charge_refused(account: Option<&Account>, status: StatusCode) {
    let is_refused = status.is_client_error() || status.is_server_error();
    if let (true, Some(account)) = (is_refused, account) {
        account.spend(1);
    }
}
