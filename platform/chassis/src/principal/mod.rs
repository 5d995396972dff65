//! Who calls: JSON Web Tokens, checked against sets of public keys.
//!
//! Users' tokens come from an issuer, or from the router for its older clients; services show themselves to each other by
//! tokens of their own. Algorithms, issuer and audience are pinned to the key. Start reading at [`Verifier::verify`].
//! Source: RFC 7515, RFC 7519, RFC 8725.

mod claims;
mod discovery;
mod jws;
mod keyset;
mod known;
mod remote;
mod service;
mod sign;
mod verify;

#[cfg(test)]
mod refused_tests;

use std::io;

use chrono::{DateTime, Utc};
use http::{HeaderMap, header::AUTHORIZATION};
use schema::{code::ErrorCode, id::UserId};
use serde::Serialize;

pub use self::{
    discovery::{DiscoveryError, description_url, is_protected},
    keyset::KeySet,
    remote::{Place, Remote, RemoteKeys},
    service::{SERVICE_TOKEN, ServiceSigner, ServiceVerifier},
    sign::Signer,
    verify::{Issuer, SERVICE_TTL, Verifier},
};
use crate::fault::Coded;

/// Who issues the demo's tokens, and the router's for its older clients.
const ISSUER: &str = "marketplace";
/// For whom the demo's tokens are.
const AUDIENCE: &str = "marketplace";
/// For whom the router's are: never for a public port.
const INTERNAL: &str = "marketplace-internal";

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Act as oneself.
    Customer,
    /// See and change what belongs to others.
    Ops,
}

/// A set of scopes, written as in the `scope` claim: names divided by blanks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes {
    /// Scope `customer`.
    pub customer: bool,
    /// Scope `ops`.
    pub ops: bool,
}

impl Scopes {
    /// A buyer.
    pub const CUSTOMER: Self = Self {
        customer: true,
        ops: false,
    };
    /// An operator, who is a buyer too.
    pub const OPS: Self = Self {
        customer: true,
        ops: true,
    };

    /// Whether `scope` is in the set.
    #[must_use]
    pub const fn has(self, scope: Scope) -> bool {
        match scope {
            Scope::Customer => self.customer,
            Scope::Ops => self.ops,
        }
    }

    fn claim(self) -> String {
        let names = [(self.customer, "customer"), (self.ops, "ops")];
        names
            .into_iter()
            .filter_map(|(on, name)| on.then_some(name))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The scopes among these names; other names allow nothing here.
    fn named<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut scopes = Self::default();
        for name in names {
            scopes.customer |= name == "customer";
            scopes.ops |= name == "ops";
        }
        scopes
    }
}

/// Why a caller may not do what it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No valid token.
    #[error("a valid token is needed")]
    Unauthenticated,
    /// The scope is missing.
    #[error("the token does not allow this")]
    Forbidden,
}

impl Coded for Denied {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Unauthenticated => ErrorCode::Unauthenticated,
            Self::Forbidden => ErrorCode::Forbidden,
        }
    }
}

/// The caller, as a checked token describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The user; absent for a service that acts for nobody.
    pub user: Option<UserId>,
    /// What the token allows.
    pub scopes: Scopes,
    /// When the token ends.
    pub expires_at: DateTime<Utc>,
    /// The calling service, when it is one; beside a user it acts on that user's behalf.
    pub service: Option<String>,
}

impl Principal {
    /// The user who calls.
    ///
    /// # Errors
    /// [`Denied::Unauthenticated`] for a service that acts for nobody.
    pub fn user(&self) -> Result<UserId, Denied> {
        self.user.ok_or(Denied::Unauthenticated)
    }

    /// Whether the caller is an operator.
    #[must_use]
    pub const fn is_ops(&self) -> bool {
        self.scopes.ops
    }

    /// Whether a service of the marketplace calls, for itself or on behalf of a user who did not come through the public
    /// graph.
    #[must_use]
    pub const fn is_service(&self) -> bool {
        self.service.is_some()
    }

    /// Whether the caller may read what belongs to `owner`.
    #[must_use]
    pub fn may_read(&self, owner: UserId) -> bool {
        self.scopes.ops || self.user == Some(owner)
    }
}

/// What our own signers claim.
#[derive(Debug, Serialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    scope: String,
    iat: i64,
    exp: i64,
    /// Who acts on the subject's behalf. Source: RFC 8693 §4.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<Actor>,
}

/// The acting party of a token.
#[derive(Debug, Serialize)]
struct Actor {
    sub: String,
}

/// Why a token is refused. The text names no part of the token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Malformed, of another issuer or audience, badly signed, ended, or by an unknown key.
    #[error("the token is not valid: {0}")]
    Invalid(&'static str),
    /// The key set cannot be read.
    #[error("the key set is not valid: {0}")]
    Keys(String),
    /// The key file cannot be read or written.
    #[error("key file: {0}")]
    File(#[from] io::Error),
}

impl Coded for TokenError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid(_) => ErrorCode::Unauthenticated,
            Self::Keys(_) | Self::File(_) => ErrorCode::Internal,
        }
    }
}

/// The token of the one header `Authorization: Bearer …`; `None` without such a header. Source: RFC 6750 §2.1.
///
/// # Errors
/// [`TokenError::Invalid`] for several headers, and for one of another form.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, TokenError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(TokenError::Invalid("it came with another one"));
    }
    let token = value.to_str().ok().and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        let token = token.trim_matches(' ');
        (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
    });
    let token = token.ok_or(TokenError::Invalid("it is not of the form: Bearer <token>"))?;
    Ok(Some(token))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
    use jsonwebtoken::jwk::JwkSet;

    use super::*;
    use crate::clock::Clock;

    fn clock() -> Clock {
        Clock::manual(DateTime::from_timestamp(1_700_000_000, 0).unwrap())
    }

    fn pair() -> (Signer, Verifier, Clock) {
        let clock = clock();
        let signer = Signer::generate(clock.clone());
        let set = JwkSet {
            keys: vec![signer.jwk()],
        };
        let verifier = Verifier::new(&set, clock.clone()).unwrap();
        (signer, verifier, clock)
    }

    #[test]
    fn a_signed_token_gives_its_principal_until_it_ends() {
        let (signer, verifier, clock) = pair();
        let user = UserId::try_from(7).unwrap();
        let token = signer.user_token(user, Scopes::CUSTOMER, Duration::from_secs(60));
        let principal = verifier.verify(token.expose()).unwrap();
        assert_eq!((principal.user, principal.is_ops()), (Some(user), false));
        clock.advance(Duration::from_secs(60));
        assert!(
            verifier.verify(token.expose()).is_err(),
            "a token ends at its second"
        );
    }

    #[test]
    fn a_token_of_another_key_or_without_a_signature_is_refused() {
        let (_, verifier, clock) = pair();
        let stranger = Signer::generate(clock);
        let token = stranger.user_token(
            UserId::try_from(1).unwrap(),
            Scopes::OPS,
            Duration::from_secs(60),
        );
        assert!(verifier.verify(token.expose()).is_err());
        let parts: Vec<&str> = token.expose().split('.').collect();
        let none = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        assert!(verifier.verify(&format!("{none}.{}.", parts[1])).is_err());
    }

    /// RFC 8693 §4.1.
    #[test]
    fn a_service_that_acts_for_a_user_is_named_beside_the_user() {
        let (signer, verifier, _) = pair();
        let user = UserId::try_from(7).unwrap();
        let ttl = Duration::from_secs(60);
        let token = signer.delegated_token(user, Scopes::CUSTOMER, "rest", ttl);
        let principal = verifier.verify(token.expose()).unwrap();
        assert_eq!(principal.user(), Ok(user));
        assert_eq!(principal.service.as_deref(), Some("rest"));
        let own = signer.user_token(user, Scopes::CUSTOMER, ttl);
        assert!(!verifier.verify(own.expose()).unwrap().is_service());
    }

    #[test]
    fn a_service_token_has_no_user() {
        let (signer, verifier, _) = pair();
        let token = signer.service_token("router", Duration::from_secs(60));
        let principal = verifier.verify(token.expose()).unwrap();
        assert_eq!(principal.service.as_deref(), Some("router"));
        assert_eq!(principal.user(), Err(Denied::Unauthenticated));
    }
}
