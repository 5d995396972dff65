//! Signing tokens.

use std::{fs, io, path::Path, time::Duration};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use ed25519_dalek::{
    SigningKey,
    pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, spki::der::pem::LineEnding},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use schema::id::UserId;
use serde::Serialize;

use super::{AUDIENCE, Actor, Claims, INTERNAL, ISSUER, Scopes, TokenError, claims::SERVICE};
use crate::{clock::Clock, config::Secret};

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

    /// Reads the PKCS#8 PEM at `path`.
    ///
    /// # Errors
    /// [`TokenError::File`] and [`TokenError::Keys`].
    pub fn load(path: &Path, clock: Clock) -> Result<Self, TokenError> {
        let pem = fs::read_to_string(path)?;
        let key = SigningKey::from_pkcs8_pem(&pem)
            .map_err(|error| TokenError::Keys(error.to_string()))?;
        Ok(Self::of(&key, clock))
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
        self.sign(user.to_string(), AUDIENCE, scopes, None, ttl)
    }

    /// A token for a service that acts on a user's behalf.
    #[must_use]
    pub fn delegated_token(
        &self,
        user: UserId,
        scopes: Scopes,
        service: &str,
        ttl: Duration,
    ) -> Secret {
        let actor = Actor {
            sub: format!("{SERVICE}{service}"),
        };
        self.sign(user.to_string(), INTERNAL, scopes, Some(actor), ttl)
    }

    /// A token for a service that acts for nobody, with scope `ops`.
    #[must_use]
    pub fn service_token(&self, service: &str, ttl: Duration) -> Secret {
        self.sign(
            format!("{SERVICE}{service}"),
            INTERNAL,
            Scopes {
                customer: false,
                ops: true,
            },
            None,
            ttl,
        )
    }

    fn sign(
        &self,
        sub: String,
        audience: &str,
        scopes: Scopes,
        act: Option<Actor>,
        ttl: Duration,
    ) -> Secret {
        let now = self.clock.now().timestamp();
        let ttl = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX);
        let claims = Claims {
            iss: ISSUER.into(),
            aud: audience.into(),
            sub,
            scope: scopes.claim(),
            iat: now,
            exp: now.saturating_add(ttl),
            act,
        };
        self.sign_claims(&claims)
    }

    /// Signs whatever `claims` say.
    pub(super) fn sign_claims(&self, claims: &impl Serialize) -> Secret {
        let header = Header {
            kid: Some(self.id.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        let token = jsonwebtoken::encode(&header, claims, &self.key);
        Secret::new(token.expect("an Ed25519 key signs any claims"))
    }
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
