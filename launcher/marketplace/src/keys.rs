//! The keys that sign and verify tokens: the router's own, the demo issuer's, and those of a real issuer.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chassis::clock::Clock;
use chassis::principal::{ServiceSigner, ServiceVerifier, Signer, Verifier};

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
    /// Says which service calls.
    pub services: ServiceVerifier,
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
            services: ServiceVerifier::new(&services_dir(settings), clock.clone()),
        })
    }
}

/// The folder with the services' public keys.
fn services_dir(settings: &Settings) -> PathBuf {
    let set = settings.keys.services_dir.clone();
    set.unwrap_or_else(|| settings.state_dir.join("keys").join("services"))
}

/// What proves the service `name` of this process to the others: the key of the settings, else one made now.
///
/// # Errors
/// When the key cannot be read, or the folder of public keys cannot be written.
pub(crate) fn service_signer(
    settings: &Settings,
    name: &'static str,
    clock: &Clock,
) -> anyhow::Result<Arc<ServiceSigner>> {
    let signer = match &settings.keys.service {
        Some(file) => ServiceSigner::from_file(name, file, clock.clone())
            .with_context(|| format!("keys.service {}", file.display())),
        None => {
            let folder = services_dir(settings);
            ServiceSigner::announce(name, &folder, clock.clone()).with_context(|| {
                format!("writing the service's public key into {}", folder.display())
            })
        }
    };
    Ok(Arc::new(signer?))
}

/// Forgets the public keys of an earlier run, whose services have ended.
///
/// # Errors
/// When the folder cannot be emptied.
pub(crate) fn forget_services(settings: &Settings) -> anyhow::Result<()> {
    let folder = services_dir(settings);
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("emptying {}", folder.display()))
        }
        _ => Ok(()),
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
