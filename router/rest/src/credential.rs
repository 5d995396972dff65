//! Whom a call acts for: the shim signs a short-lived token for the user that the call itself names.
//!
//! Existing clients send no token; the path or the body names the user. So the shim is a small issuer, and the
//! subgraphs meet one kind of principal alone. A user's token is signed once and used until shortly before its end.
//! Source: docs/contracts.md §9, "who the caller is".

use std::{collections::HashMap, sync::Arc, time::Duration};

use chassis::{
    clock::Clock,
    config::Secret,
    principal::{Principal, SERVICE_TTL, Scopes, Signer},
};
use chrono::{DateTime, Utc};
use parking_lot::RwLock;
use schema::id::UserId;

/// How long a signed token is valid.
const TOKEN_TTL: Duration = SERVICE_TTL;
/// The shim's name in its tokens: what comes through it did not come through the public graph.
const SERVICE: &str = "rest";
/// A token this close to its end is replaced, so that it outlives the longest call.
const RENEW_BEFORE: Duration = Duration::from_secs(20);
/// How many tokens are kept; at the bound the ended ones are dropped, then all.
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

/// Signs credentials and keeps them while they are valid.
pub(super) struct Credentials {
    signer: Arc<Signer>,
    clock: Clock,
    kept: RwLock<HashMap<Actor, Credential>>,
}

impl Credentials {
    pub(super) fn new(signer: Arc<Signer>, clock: Clock) -> Self {
        Self {
            signer,
            clock,
            kept: RwLock::default(),
        }
    }

    /// A credential that is valid for at least [`RENEW_BEFORE`] from now.
    pub(super) fn of(&self, actor: Actor) -> Credential {
        let now = self.clock.now();
        let is_valid = |credential: &Credential| credential.expires_at > now + RENEW_BEFORE;
        if let Some(kept) = self.kept.read().get(&actor).filter(|kept| is_valid(kept)) {
            return kept.clone();
        }
        let fresh = self.sign(actor, now);
        let mut kept = self.kept.write();
        if kept.len() >= KEPT_MAX {
            kept.retain(|_, credential| is_valid(credential));
            if kept.len() >= KEPT_MAX {
                kept.clear();
            }
        }
        kept.insert(actor, fresh.clone());
        fresh
    }

    /// Signs a token and describes it as a subgraph that checks it would.
    fn sign(&self, actor: Actor, now: DateTime<Utc>) -> Credential {
        let (token, user, scopes) = match actor {
            Actor::User(user) => {
                let scopes = Scopes::CUSTOMER;
                let token = self
                    .signer
                    .delegated_token(user, scopes, SERVICE, TOKEN_TTL);
                (token, Some(user), scopes)
            }
            Actor::Shim => {
                let token = self.signer.service_token(SERVICE, TOKEN_TTL);
                let scopes = Scopes {
                    customer: false,
                    ops: true,
                };
                (token, None, scopes)
            }
        };
        let expires_at = now + TOKEN_TTL;
        let principal = Arc::new(Principal {
            user,
            scopes,
            expires_at,
            service: Some(SERVICE.to_owned()),
        });
        Credential {
            principal,
            token,
            expires_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use chassis::principal::Verifier;

    use super::*;

    fn issuer() -> (Credentials, Verifier, Clock) {
        let clock = Clock::manual(DateTime::from_timestamp(1_700_000_000, 0).unwrap());
        let signer = Signer::generate(clock.clone());
        let set = serde_json::from_value(serde_json::json!({"keys": [signer.jwk()]})).unwrap();
        let verifier = Verifier::new(&set, clock.clone()).unwrap();
        (
            Credentials::new(Arc::new(signer), clock.clone()),
            verifier,
            clock,
        )
    }

    #[test]
    fn the_principal_in_process_is_what_the_token_says_elsewhere() {
        let (credentials, verifier, _) = issuer();
        for actor in [
            Actor::User(UserId::try_from(i64::MAX).unwrap()),
            Actor::Shim,
        ] {
            let credential = credentials.of(actor);
            let verified = verifier.verify(credential.token.expose()).unwrap();
            assert_eq!(verified, *credential.principal);
        }
    }

    /// Seen red with the kept token served to its end.
    #[test]
    fn a_token_is_kept_until_shortly_before_its_end() {
        let (credentials, verifier, clock) = issuer();
        let first = credentials.of(Actor::Shim);
        clock.advance(Duration::from_secs(39));
        assert_eq!(credentials.of(Actor::Shim).expires_at, first.expires_at);
        clock.advance(Duration::from_secs(2));
        let next = credentials.of(Actor::Shim);
        assert!(next.expires_at > first.expires_at);
        clock.advance(RENEW_BEFORE);
        assert!(verifier.verify(next.token.expose()).is_ok());
    }

    #[test]
    fn kept_tokens_are_bounded() {
        let (credentials, _, _) = issuer();
        let keep = |id: i64| credentials.of(Actor::User(UserId::try_from(id).unwrap()));
        let one = keep(1);
        let mut kept = credentials.kept.write();
        for id in 2..=10_000 {
            kept.insert(Actor::User(UserId::try_from(id).unwrap()), one.clone());
        }
        drop(kept);
        keep(10_001);
        assert!(credentials.kept.read().len() <= KEPT_MAX);
    }
}
