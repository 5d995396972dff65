//! The keys that sign and verify tokens: the router's own, the demo issuer's, and those of a real issuer.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chassis::clock::Clock;
use chassis::principal::{Signer, Verifier};

use crate::settings::Settings;

/// The keys of one process.
#[derive(Debug, Clone)]
pub struct Keys {
    /// Verifies every token.
    pub verifier: Arc<Verifier>,
    /// Signs the router's short-lived tokens.
    pub signer: Arc<Signer>,
    /// The built-in issuer, in the demo profile.
    pub demo_issuer: Option<Arc<Signer>>,
}

impl Keys {
    /// Loads the keys and creates the missing ones. All processes of one state folder get the same keys.
    ///
    /// # Errors
    /// When a key file cannot be read or written, or does not contain a key.
    pub fn open(settings: &Settings, clock: &Clock) -> anyhow::Result<Self> {
        let folder = settings.state_dir.join("keys");
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("creating {}", folder.display()))?;
        let router = settings
            .keys
            .router
            .clone()
            .unwrap_or_else(|| folder.join("router.pem"));
        let signer = Arc::new(load(&router, clock)?);
        let mut keys = vec![serde_json::to_value(signer.jwk())?];
        let demo_issuer = if settings.demo_issuer_enabled() {
            Some(Arc::new(load(&folder.join("demo.pem"), clock)?))
        } else {
            None
        };
        if let Some(issuer) = &demo_issuer {
            keys.push(serde_json::to_value(issuer.jwk())?);
        }
        if let Some(path) = &settings.keys.jwks {
            keys.extend(read_jwks(path)?);
        }
        let jwks = serde_json::json!({ "keys": keys });
        let file = folder.join("jwks.json");
        std::fs::write(&file, format!("{jwks:#}\n"))
            .with_context(|| format!("writing {}", file.display()))?;
        let verifier = Arc::new(Verifier::new(
            &serde_json::from_value(jwks)?,
            clock.clone(),
        )?);
        Ok(Self {
            verifier,
            signer,
            demo_issuer,
        })
    }
}

/// Loads a key or creates it. Of two processes that start together, the later one finds the file, perhaps half written,
/// and retries.
fn load(path: &Path, clock: &Clock) -> anyhow::Result<Signer> {
    let mut tries = 5;
    loop {
        match Signer::load_or_create(path, clock.clone()) {
            Ok(signer) => return Ok(signer),
            Err(error) if tries == 0 => {
                return Err(error).with_context(|| format!("loading the key {}", path.display()));
            }
            Err(_) => tries -= 1,
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn read_jwks(path: &Path) -> anyhow::Result<Vec<serde_json::Value>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("keys.jwks {}", path.display()))?;
    let mut set: serde_json::Value =
        serde_json::from_str(&text).context("keys.jwks is not valid JSON")?;
    let keys = set.get_mut("keys").map(serde_json::Value::take);
    serde_json::from_value(keys.unwrap_or_default()).context("keys.jwks has no list `keys`")
}
