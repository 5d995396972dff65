//! Checking tokens.

use chrono::DateTime;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::JwkSet};

use super::{AUDIENCE, Claims, ISSUER, Principal, Scopes, TokenError};
use crate::clock::Clock;

/// Checks tokens against a JWK set.
pub struct Verifier {
    keys: Vec<(String, Algorithm, DecodingKey)>,
    clock: Clock,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier")
            .field("keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}

impl Verifier {
    /// Accepts the keys of `set` that have a key id and an algorithm among EdDSA and RS256.
    ///
    /// # Errors
    /// [`TokenError::Keys`] when a key cannot be used or none is left.
    pub fn new(set: &JwkSet, clock: Clock) -> Result<Self, TokenError> {
        let mut keys = Vec::new();
        for jwk in &set.keys {
            let (Some(id), Some(algorithm)) = (&jwk.common.key_id, jwk.common.key_algorithm) else {
                continue;
            };
            let algorithm = algorithm.to_string().parse::<Algorithm>();
            let Ok(algorithm @ (Algorithm::EdDSA | Algorithm::RS256)) = algorithm else {
                continue;
            };
            let key =
                DecodingKey::from_jwk(jwk).map_err(|error| TokenError::Keys(error.to_string()))?;
            keys.push((id.clone(), algorithm, key));
        }
        if keys.is_empty() {
            return Err(TokenError::Keys(
                "no EdDSA or RS256 key with an id and an algorithm".into(),
            ));
        }
        Ok(Self { keys, clock })
    }

    /// Checks a token and gives its principal.
    ///
    /// # Errors
    /// [`TokenError::Invalid`] with a reason that is safe to show.
    pub fn verify(&self, token: &str) -> Result<Principal, TokenError> {
        let header = jsonwebtoken::decode_header(token)
            .map_err(|_| TokenError::Invalid("it is not a JSON Web Token"))?;
        let (_, algorithm, key) = self
            .keys
            .iter()
            .find(|(id, _, _)| Some(id) == header.kid.as_ref())
            .ok_or(TokenError::Invalid("its key is unknown"))?;
        let mut rules = Validation::new(*algorithm);
        rules.set_issuer(&[ISSUER]);
        rules.set_audience(&[AUDIENCE]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // The end is checked below, against our own clock.
        rules.validate_exp = false;
        let claims = jsonwebtoken::decode::<Claims>(token, key, &rules)
            .map_err(|_| TokenError::Invalid("its signature, issuer or audience is wrong"))?
            .claims;
        let expires_at = DateTime::from_timestamp(claims.exp, 0)
            .ok_or(TokenError::Invalid("its end is out of range"))?;
        if expires_at <= self.clock.now() {
            return Err(TokenError::Invalid("it has ended"));
        }
        let actor = claims.act.as_ref().map_or(&claims.sub, |act| &act.sub);
        let service = actor.strip_prefix("service:").map(str::to_owned);
        let user = claims.sub.parse().ok();
        if user.is_none() && service.is_none() {
            return Err(TokenError::Invalid(
                "its subject is neither a user nor a service",
            ));
        }
        Ok(Principal {
            user,
            scopes: Scopes::from_claim(&claims.scope),
            expires_at,
            service,
        })
    }
}
