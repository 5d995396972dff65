//! Who calls: JSON Web Tokens signed with Ed25519 (or RS256), checked against a JWK set.
//!
//! Algorithms, issuer and audience are pinned; a token without `exp`, with `none` or with an unknown key id is
//! refused. Source: RFC 7519, RFC 8725.

use std::{fs, io, path::Path, time::Duration};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use ed25519_dalek::{
    SigningKey,
    pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, spki::der::pem::LineEnding},
};
use http::{HeaderMap, header::AUTHORIZATION};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    jwk::{Jwk, JwkSet},
};
use schema::{code::ErrorCode, id::UserId};
use serde::{Deserialize, Serialize};

use crate::{clock::Clock, config::Secret, fault::Coded};

const ISSUER: &str = "marketplace";
const AUDIENCE: &str = "marketplace";

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

    fn from_claim(claim: &str) -> Self {
        let has = |name| claim.split(' ').any(|scope| scope == name);
        Self {
            customer: has("customer"),
            ops: has("ops"),
        }
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
    /// The user; absent for a service.
    pub user: Option<UserId>,
    /// What the token allows.
    pub scopes: Scopes,
    /// When the token ends.
    pub expires_at: DateTime<Utc>,
    /// The calling service, when it is one.
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

    /// Whether the caller may read what belongs to `owner`.
    #[must_use]
    pub fn may_read(&self, owner: UserId) -> bool {
        self.scopes.ops || self.user == Some(owner)
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    scope: String,
    iat: i64,
    exp: i64,
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

    /// Reads a JWK set file (RFC 7517 §5).
    ///
    /// # Errors
    /// [`TokenError::File`] and [`TokenError::Keys`].
    pub fn from_file(path: &Path, clock: Clock) -> Result<Self, TokenError> {
        let text = fs::read_to_string(path)?;
        let set =
            serde_json::from_str(&text).map_err(|error| TokenError::Keys(error.to_string()))?;
        Self::new(&set, clock)
    }

    /// Checks a token and gives its principal.
    ///
    /// # Errors
    /// [`TokenError::Invalid`] with a reason that is safe to show.
    pub fn verify(&self, token: &str) -> Result<Principal, TokenError> {
        let header = jsonwebtoken::decode_header(token)
            .map_err(|_| TokenError::Invalid("it is no JSON Web Token"))?;
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
        let service = claims.sub.strip_prefix("service:").map(str::to_owned);
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

/// Signs tokens with an Ed25519 key.
pub struct Signer {
    id: String,
    key: EncodingKey,
    public: [u8; 32],
    clock: Clock,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Signer {
    /// A new key that lives in memory only.
    #[must_use]
    pub fn generate(clock: Clock) -> Self {
        Self::of(&SigningKey::from_bytes(&rand::random()), clock)
    }

    /// Reads the PKCS#8 PEM at `path`, or writes a new one there, readable by its owner alone.
    ///
    /// # Errors
    /// [`TokenError::File`] and [`TokenError::Keys`].
    pub fn load_or_create(path: &Path, clock: Clock) -> Result<Self, TokenError> {
        let key = match fs::read_to_string(path) {
            Ok(pem) => SigningKey::from_pkcs8_pem(&pem)
                .map_err(|error| TokenError::Keys(error.to_string()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = SigningKey::from_bytes(&rand::random());
                let pem = key
                    .to_pkcs8_pem(LineEnding::LF)
                    .map_err(|error| TokenError::Keys(error.to_string()))?;
                write_private(path, pem.as_bytes())?;
                key
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Self::of(&key, clock))
    }

    fn of(key: &SigningKey, clock: Clock) -> Self {
        let public = key.verifying_key().to_bytes();
        let der = key
            .to_pkcs8_der()
            .expect("an Ed25519 key has a PKCS#8 form");
        let id = BASE64_URL_SAFE_NO_PAD.encode(&public[..9]);
        Self {
            id,
            key: EncodingKey::from_ed_der(der.as_bytes()),
            public,
            clock,
        }
    }

    /// The public key, for a JWK set.
    #[must_use]
    pub fn jwk(&self) -> Jwk {
        let x = BASE64_URL_SAFE_NO_PAD.encode(self.public);
        let jwk = serde_json::json!({
            "kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.id, "alg": "EdDSA", "use": "sig",
        });
        serde_json::from_value(jwk).expect("these are the members of RFC 8037 §2")
    }

    /// A token for a user.
    #[must_use]
    pub fn user_token(&self, user: UserId, scopes: Scopes, ttl: Duration) -> Secret {
        self.sign(user.to_string(), scopes, ttl)
    }

    /// A token for a service that acts for nobody, with scope `ops`.
    #[must_use]
    pub fn service_token(&self, service: &str, ttl: Duration) -> Secret {
        self.sign(
            format!("service:{service}"),
            Scopes {
                customer: false,
                ops: true,
            },
            ttl,
        )
    }

    fn sign(&self, sub: String, scopes: Scopes, ttl: Duration) -> Secret {
        let now = self.clock.now().timestamp();
        let ttl = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX);
        let claims = Claims {
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            sub,
            scope: scopes.claim(),
            iat: now,
            exp: now.saturating_add(ttl),
        };
        let header = Header {
            kid: Some(self.id.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        let token = jsonwebtoken::encode(&header, &claims, &self.key);
        Secret::new(token.expect("an Ed25519 key signs any claims"))
    }
}

/// The token of an `Authorization: Bearer …` header.
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn a_service_token_has_no_user() {
        let (signer, verifier, _) = pair();
        let token = signer.service_token("router", Duration::from_secs(60));
        let principal = verifier.verify(token.expose()).unwrap();
        assert_eq!(principal.service.as_deref(), Some("router"));
        assert_eq!(principal.user(), Err(Denied::Unauthenticated));
    }
}
