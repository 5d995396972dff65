//! Checking tokens of users: those of their issuers, and those that the router makes for its older clients.
//!
//! Invariant: an issuer of users cannot speak for a service, and the router's key cannot make a user's own token. By what
//! services show themselves to each other is not here: `service.rs`.

use chrono::Duration;
use jsonwebtoken::jwk::JwkSet;
use serde_json::Value;

use super::{
    AUDIENCE, INTERNAL, ISSUER, Principal, TokenError, claims, jws::Compact, keyset::KeySet,
};
use crate::clock::Clock;

/// The longest that a token is valid by which a service acts for a user, or for itself.
pub const SERVICE_TTL: std::time::Duration = std::time::Duration::from_mins(1);

/// Somebody who makes tokens of users.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// The claim `iss` of its tokens.
    pub name: String,
    /// What the claim `aud` of a token for us contains.
    pub audience: String,
    /// The claim with the user's id.
    pub user_claim: String,
    /// The claim with the scopes.
    pub scope_claim: String,
    /// Its public keys.
    pub keys: KeySet,
}

impl Issuer {
    /// The marketplace's own issuer with these keys.
    #[must_use]
    pub fn own(keys: KeySet) -> Self {
        Self {
            name: ISSUER.to_owned(),
            audience: AUDIENCE.to_owned(),
            user_claim: "sub".to_owned(),
            scope_claim: "scope".to_owned(),
            keys,
        }
    }
}

/// Checks tokens.
#[derive(Debug)]
pub struct Verifier {
    users: Vec<Issuer>,
    services: KeySet,
    clock: Clock,
}

impl Verifier {
    /// Believes one set for users' and for services' tokens alike: for tests.
    ///
    /// # Errors
    /// [`TokenError::Keys`] when a key cannot be used or none is left.
    pub fn new(set: &JwkSet, clock: Clock) -> Result<Self, TokenError> {
        let keys = KeySet::fixed(set)?;
        Ok(Self::of(vec![Issuer::own(keys.clone())], keys, clock))
    }

    /// Believes these issuers about users, and these keys about services.
    #[must_use]
    pub const fn of(users: Vec<Issuer>, services: KeySet, clock: Clock) -> Self {
        Self {
            users,
            services,
            clock,
        }
    }

    /// Checks a token of a user, or of a service, and gives its principal.
    ///
    /// # Errors
    /// [`TokenError::Invalid`] with a reason that is safe to show.
    pub fn verify(&self, token: &str) -> Result<Principal, TokenError> {
        let token = Compact::read(token)?;
        // Unchecked as yet: it only says which keys to check by.
        let is_internal = token.claims()?.get("aud").and_then(Value::as_str) == Some(INTERNAL);
        if is_internal {
            self.service(&token)
        } else {
            self.user(&token)
        }
    }

    /// Checks a user's own token, as the public ports take it: no service's is valid there.
    ///
    /// # Errors
    /// [`TokenError::Invalid`].
    pub fn verify_user(&self, token: &str) -> Result<Principal, TokenError> {
        self.user(&Compact::read(token)?)
    }

    fn user(&self, token: &Compact<'_>) -> Result<Principal, TokenError> {
        let unknown = TokenError::Invalid("its key is unknown");
        let found = self
            .users
            .iter()
            .find_map(|issuer| Some((issuer, issuer.keys.find(&token.key)?)));
        let (issuer, key) = found.ok_or(unknown)?;
        let claims = token.signed_by(&key)?;
        claims::check_parties(&claims, &issuer.name, &issuer.audience)?;
        let end = claims::check_time(&claims, self.clock.now())?;
        claims::user(&claims, &issuer.user_claim, &issuer.scope_claim, end)
    }

    fn service(&self, token: &Compact<'_>) -> Result<Principal, TokenError> {
        let key = self.services.find(&token.key);
        let key = key.ok_or(TokenError::Invalid("its key is unknown"))?;
        let claims = token.signed_by(&key)?;
        claims::check_parties(&claims, ISSUER, INTERNAL)?;
        let end = claims::check_time(&claims, self.clock.now())?;
        let longest = Duration::from_std(SERVICE_TTL).unwrap_or(Duration::MAX);
        if claims::lifetime(&claims)?.is_none_or(|it| it > longest) {
            return Err(TokenError::Invalid(
                "a service's token ends within a minute",
            ));
        }
        claims::service(&claims, end)
    }
}
