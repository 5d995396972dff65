//! Checking tokens of users: those of their issuers, and those that the router makes for its older clients.
//!
//! Invariant: an issuer of users cannot speak for a service, and the router's key cannot make a user's own token. By what
//! services show themselves to each other is not here: `service.rs`.

use chrono::Duration;
use jsonwebtoken::jwk::JwkSet;
use serde_json::Value;

use super::{
    AUDIENCE, INTERNAL, ISSUER, Principal, TokenError, claims, jws::Compact, keyset::KeySet,
    known::Known,
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
    /// Good tokens of users and services.
    known: Known,
    /// Good tokens of users alone. Apart, because the two ways may say different things of the same bytes.
    known_users: Known,
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
    pub fn of(users: Vec<Issuer>, services: KeySet, clock: Clock) -> Self {
        Self {
            users,
            services,
            clock,
            known: Known::default(),
            known_users: Known::default(),
        }
    }

    /// Checks a token of a user, or of a service, and gives its principal.
    ///
    /// # Errors
    /// [`TokenError::Invalid`] with a reason that is safe to show.
    pub fn verify(&self, token: &str) -> Result<Principal, TokenError> {
        self.once(&self.known, token, |token| {
            // Unchecked as yet: it only says which keys to check by.
            let is_internal = token.claims()?.get("aud").and_then(Value::as_str) == Some(INTERNAL);
            if is_internal {
                self.service(token)
            } else {
                self.user(token)
            }
        })
    }

    /// Checks a user's own token, as the public ports take it: no service's is valid there.
    ///
    /// # Errors
    /// [`TokenError::Invalid`].
    pub fn verify_user(&self, token: &str) -> Result<Principal, TokenError> {
        self.once(&self.known_users, token, |token| self.user(token))
    }

    /// Checks a token that is not known to be good.
    fn once(
        &self,
        known: &Known,
        token: &str,
        check: impl FnOnce(&Compact<'_>) -> Result<Principal, TokenError>,
    ) -> Result<Principal, TokenError> {
        // Before the check, so that keys that change meanwhile are noticed.
        let keys = self.keys_version();
        if let Some(principal) = known.get(token, keys, self.clock.now()) {
            return Ok(principal);
        }
        let principal = check(&Compact::read(token)?)?;
        known.remember(token, keys, principal.clone());
        Ok(principal)
    }

    /// Grows with each change of a key.
    fn keys_version(&self) -> u64 {
        let sets = self.users.iter().map(|issuer| &issuer.keys);
        let versions = sets.chain([&self.services]).map(KeySet::version);
        versions.fold(0, u64::wrapping_add)
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

#[cfg(test)]
mod tests {
    use schema::id::UserId;
    use serde_json::{from_value, json};

    use super::*;
    use crate::principal::{Scopes, Signer};

    fn set(signer: &Signer) -> JwkSet {
        from_value(json!({ "keys": [signer.jwk()] })).unwrap()
    }

    /// A token is remembered; seen red with nothing remembered. One that is refused is not; seen red with it remembered
    /// before its check.
    #[test]
    fn a_signature_is_checked_once() {
        let clock = Clock::system();
        let signer = Signer::generate(clock.clone());
        let verifier = Verifier::new(&set(&signer), clock.clone()).unwrap();
        let user = UserId::try_from(7).unwrap();
        let token = signer.user_token(user, Scopes::CUSTOMER, SERVICE_TTL);
        let is_known = |known: &Known, token| {
            let now = verifier.clock.now();
            known.get(token, verifier.keys_version(), now).is_some()
        };
        verifier.verify_user(token.expose()).unwrap();
        assert!(is_known(&verifier.known_users, token.expose()));
        let stranger = Signer::generate(clock);
        let strange = stranger.user_token(user, Scopes::OPS, SERVICE_TTL);
        assert!(verifier.verify_user(strange.expose()).is_err());
        assert!(!is_known(&verifier.known_users, strange.expose()));
    }

    /// Seen red with one memory for both.
    #[test]
    fn a_services_token_that_an_inner_port_remembers_opens_no_public_one() {
        let clock = Clock::system();
        let signer = Signer::generate(clock.clone());
        let verifier = Verifier::new(&set(&signer), clock).unwrap();
        let token = signer.service_token("router", SERVICE_TTL);
        assert!(verifier.verify(token.expose()).is_ok());
        assert!(verifier.verify_user(token.expose()).is_err());
    }

    /// Seen red with a version that does not grow, and with one that grows when the same keys are read again.
    #[test]
    fn a_key_that_goes_takes_its_tokens_along_and_the_same_keys_again_take_none() {
        let clock = Clock::system();
        let [first, second] = [(); 2].map(|()| Signer::generate(clock.clone()));
        let (keys, _) = KeySet::fetched();
        keys.replace(&set(&first)).unwrap();
        let services = KeySet::files(Vec::new()).unwrap();
        let verifier = Verifier::of(vec![Issuer::own(keys.clone())], services, clock);
        let user = UserId::try_from(7).unwrap();
        let token = first.user_token(user, Scopes::CUSTOMER, SERVICE_TTL);
        assert!(verifier.verify_user(token.expose()).is_ok());
        let version = verifier.keys_version();
        keys.replace(&set(&first)).unwrap();
        assert_eq!(verifier.keys_version(), version);
        keys.replace(&set(&second)).unwrap();
        assert!(verifier.verify_user(token.expose()).is_err());
        keys.replace(&set(&first)).unwrap();
        assert!(verifier.verify_user(token.expose()).is_ok());
    }
}
