//! Whom a call acts for: the shim signs a short-lived token for the user that the call itself names.
//!
//! Existing clients send no token; the user stands in the path or the body. So the shim is a small issuer, and the
//! subgraphs meet one kind of principal alone. A user's token is signed once and used until shortly before its end.
//! Source: docs/contracts.md §9, "who the caller is".

use std::{collections::HashMap, sync::Arc, time::Duration};

use chassis::{
    clock::Clock,
    config::Secret,
    principal::{Principal, Signer},
};
use chrono::{DateTime, Utc};
use parking_lot::RwLock;
use schema::id::UserId;

/// How long a signed token is good; subgraphs refuse it afterwards.
const TOKEN_TTL: Duration = Duration::from_mins(5);
/// A token this close to its end is signed anew, so that it outlives the longest call.
const RENEW_BEFORE: Duration = Duration::from_mins(1);
/// Users whose token is kept; at the bound the ended ones go, then all.
const KEPT_MAX: usize = 10_000;

/// For whom a call into the graph is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Actor {
    /// The user that the path or the body names.
    User(UserId),
    /// The shim itself, for calls that name an order, a comment or a SKU but no user.
    Shim,
}

/// What a call carries: the principal for subgraphs in process, the token for those in other processes.
#[derive(Debug, Clone)]
pub(super) struct Credential {
    pub(super) principal: Arc<Principal>,
    pub(super) token: Secret,
    expires_at: DateTime<Utc>,
}

/// Signs credentials and keeps them while they are good.
pub(super) struct Credentials {
    signer: Arc<Signer>,
    clock: Clock,
    kept: RwLock<HashMap<Actor, Credential>>,
}

impl Credentials {
    pub(super) fn new(signer: Arc<Signer>, clock: Clock) -> Self {
        Self { signer, clock, kept: RwLock::default() }
    }

    /// A credential that is good for at least [`RENEW_BEFORE`] from now.
    pub(super) fn of(&self, actor: Actor) -> Credential {
        let now = self.clock.now();
        let good = |credential: &Credential| credential.expires_at > now + RENEW_BEFORE;
        if let Some(kept) = self.kept.read().get(&actor).filter(|kept| good(kept)) {
            return kept.clone();
        }
        let fresh = self.sign(actor, now);
        let mut kept = self.kept.write();
        if kept.len() >= KEPT_MAX {
            kept.retain(|_, credential| good(credential));
            if kept.len() >= KEPT_MAX {
                kept.clear();
            }
        }
        kept.insert(actor, fresh.clone());
        fresh
    }
}
