//! Tokens that a test signs itself.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chassis::clock::Clock;
use chassis::config::Secret;
use chassis::principal::{Scopes, ServiceVerifier, Signer, Verifier};
use schema::id::UserId;

/// A signer with the verifier that believes it.
#[derive(Debug, Clone)]
pub struct TestTokens {
    /// Signs.
    pub signer: Arc<Signer>,
    /// Checks what the signer signed, and nothing else.
    pub verifier: Arc<Verifier>,
}

impl TestTokens {
    /// A new key that nobody else has.
    ///
    /// # Panics
    /// Never: a new key is a valid key.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        let signer = Signer::generate(clock.clone());
        let keys = serde_json::json!({ "keys": [signer.jwk()] });
        let keys = serde_json::from_value(keys).expect("a signer's key is a JWK");
        let verifier = Verifier::new(&keys, clock).expect("a signer's key is usable");
        Self {
            signer: Arc::new(signer),
            verifier: Arc::new(verifier),
        }
    }

    /// What a gRPC server checks callers by; it knows no service.
    #[must_use]
    pub fn of_grpc(&self) -> chassis::grpc::Tokens {
        chassis::grpc::Tokens {
            users: Arc::clone(&self.verifier),
            services: ServiceVerifier::new(Path::new("/nonexistent"), Clock::system()),
        }
    }

    /// An hour's token of a buyer.
    ///
    /// # Panics
    /// When `user` is not above 0.
    #[must_use]
    pub fn customer(&self, user: i64) -> Secret {
        self.token(user, Scopes::CUSTOMER)
    }

    /// An hour's token of an operator.
    ///
    /// # Panics
    /// When `user` is not above 0.
    #[must_use]
    pub fn operator(&self, user: i64) -> Secret {
        self.token(user, Scopes::OPS)
    }

    fn token(&self, user: i64, scopes: Scopes) -> Secret {
        let user = UserId::try_from(user).expect("a test's user id is above 0");
        self.signer
            .user_token(user, scopes, Duration::from_secs(3600))
    }
}

impl Default for TestTokens {
    /// On the machine's clock.
    fn default() -> Self {
        Self::new(Clock::system())
    }
}
