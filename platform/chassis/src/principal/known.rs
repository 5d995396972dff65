//! Tokens that were found good, by their bytes: a signature is checked once for many requests.
//!
//! An Ed25519 signature takes about 60 µs to check, in the router and again in each subgraph, which is half of a small
//! query; a request that overload refuses has paid it, too.
//!
//! Invariant: what is remembered of a token is its signature and what it claims, never that it is valid. It ends when it
//! says, whatever is remembered; and when a key comes or goes, nothing that was remembered before counts. Only a token
//! that was found good is remembered, so that nobody without one fills the memory.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use moka::sync::Cache;

use super::Principal;

/// The most that is remembered, in bytes as [`weight`] counts them.
const CAPACITY: u64 = 32 << 20;
/// What one token counts besides its bytes, for its principal and the map: so at most 65,536 are remembered.
const OVERHEAD: u32 = 512;

/// Good tokens. The map hashes them with a secret of its own, so that chosen tokens do not collide.
pub(super) struct Known(Cache<Arc<str>, Remembered>);

#[derive(Clone)]
struct Remembered {
    principal: Principal,
    /// Which state of the key sets it was checked by.
    keys: u64,
}

/// Tokens are secrets, so only their number is shown.
impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Known")
            .field("tokens", &self.0.entry_count())
            .finish_non_exhaustive()
    }
}

impl Default for Known {
    fn default() -> Self {
        Self::of(CAPACITY)
    }
}

impl Known {
    fn of(capacity: u64) -> Self {
        Self(
            Cache::builder()
                .max_capacity(capacity)
                .weigher(|token: &Arc<str>, _| weight(token))
                .build(),
        )
    }

    /// The principal of a token that was found good by the `keys` of now and has not ended yet.
    pub(super) fn get(&self, token: &str, keys: u64, now: DateTime<Utc>) -> Option<Principal> {
        let found = self.0.get(token)?;
        if found.keys == keys && found.principal.expires_at > now {
            return Some(found.principal);
        }
        self.0.invalidate(token);
        None
    }

    /// Remembers a token that was found good. `keys` is their state as of before it was checked: had they changed
    /// meanwhile, it is not found again.
    pub(super) fn remember(&self, token: &str, keys: u64, principal: Principal) {
        self.0.insert(token.into(), Remembered { principal, keys });
    }
}

fn weight(token: &str) -> u32 {
    u32::try_from(token.len())
        .unwrap_or(u32::MAX)
        .saturating_add(OVERHEAD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::principal::Scopes;

    fn principal() -> Principal {
        Principal {
            user: None,
            scopes: Scopes::CUSTOMER,
            expires_at: DateTime::from_timestamp(100, 0).unwrap(),
            service: None,
        }
    }

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    /// Seen red with the end not compared, and with the keys not compared.
    #[test]
    fn it_is_found_until_it_ends_and_until_a_key_changes() {
        let known = Known::default();
        known.remember("a.b.c", 7, principal());
        assert_eq!(known.get("a.b.c", 7, at(99)), Some(principal()));
        assert_eq!(known.get("a.b.d", 7, at(99)), None, "another's signature");
        assert_eq!(known.get("a.b.c", 7, at(100)), None);
        known.remember("a.b.c", 7, principal());
        assert_eq!(known.get("a.b.c", 8, at(99)), None);
        assert_eq!(known.get("a.b.c", 7, at(99)), None, "it is forgotten");
    }

    /// Seen red without the weigher, and with the overhead left out.
    #[test]
    fn what_is_remembered_is_bounded_by_bytes_and_by_number() {
        for (length, most) in [(1_488, 5), (1, 19)] {
            let known = Known::of(10_000);
            for token in 0..200 {
                known.remember(&format!("{token:length$}"), 0, principal());
            }
            known.0.run_pending_tasks();
            let held = known.0.entry_count();
            assert!((1..=most).contains(&held), "{held} of {length} bytes");
        }
    }

    #[test]
    fn no_log_shows_a_token() {
        let known = Known::default();
        known.remember("secret.token.text", 0, principal());
        assert!(!format!("{known:?}").contains("secret"));
    }
}
