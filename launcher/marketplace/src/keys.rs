//! The keys that sign and verify tokens: the router's own, the demo issuer's, those of a real issuer, and the services'.
//!
//! Invariant: a process loads the private key of what it is, and no other; the public keys lie in the state folder, where
//! the others find them, or in the sets that the settings name.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chassis::clock::Clock;
use chassis::health::Health;
use chassis::principal::{
    Issuer, KeySet, Place, Remote, RemoteKeys, ServiceSigner, ServiceVerifier, Signer, Verifier,
};
use chassis::tasks::Tasks;
use serde_json::json;

use crate::settings::{self, Settings};

/// Files with public keys, in the folder of keys.
const ROUTER: &str = "router.jwks.json";
const DEMO: &str = "demo.jwks.json";
/// The least time between two fetches of an issuer's keys.
const FETCH_PAUSE: Duration = Duration::from_secs(5);

/// The keys of one process.
#[derive(Debug, Clone)]
pub struct Keys {
    /// Verifies every token.
    pub verifier: Arc<Verifier>,
    /// Says which service calls.
    pub services: ServiceVerifier,
    /// Whether the built-in issuer of users' tokens is on.
    pub has_demo_issuer: bool,
    remote: Option<RemoteKeys>,
    folder: PathBuf,
    settings: settings::Keys,
    clock: Clock,
}

impl Keys {
    /// Reads the public keys. Those of processes that start later are read when their tokens come.
    ///
    /// # Errors
    /// When a file of keys cannot be read, or does not contain a key.
    pub fn open(settings: &Settings, clock: &Clock) -> anyhow::Result<Self> {
        let folder = settings.state_dir.join("keys");
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("creating {}", folder.display()))?;
        let has_demo_issuer = settings.demo_issuer_enabled();
        let keys = &settings.keys;
        let mut users = Vec::new();
        if has_demo_issuer {
            users.push(Issuer::own(KeySet::files(vec![folder.join(DEMO)])?));
        }
        if let Some(path) = &keys.jwks {
            let set = KeySet::files(vec![path.clone()]).context("keys.jwks")?;
            anyhow::ensure!(!set.is_empty(), "keys.jwks {} has no key", path.display());
            users.push(keys.issuer(set));
        }
        let place = match &keys.jwks_url {
            Some(url) => Some(Place::Keys(url.parse().context("keys.jwks_url")?)),
            None => keys
                .discovery_enabled
                .then(|| Place::Issuer(keys.issuer.clone())),
        };
        let remote = place.map(|place| {
            RemoteKeys::new(Remote {
                place,
                ttl: keys.jwks_ttl,
                pause: FETCH_PAUSE,
            })
        });
        users.extend(remote.iter().map(|remote| keys.issuer(remote.keys.clone())));
        let router = keys.router_jwks.clone();
        let router = router.unwrap_or_else(|| folder.join(ROUTER));
        let router = KeySet::files(vec![router]).context("keys.router_jwks")?;
        Ok(Self {
            verifier: Arc::new(Verifier::of(users, router, clock.clone())),
            services: ServiceVerifier::new(&services_dir(settings), clock.clone()),
            has_demo_issuer,
            remote,
            folder,
            settings: keys.clone(),
            clock: clock.clone(),
        })
    }

    /// Fetches the issuer's keys now and from time to time; not ready before they are there.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn keep_fresh(&self, tasks: &Tasks, health: &Health) -> anyhow::Result<()> {
        let Some(remote) = &self.remote else {
            return Ok(());
        };
        let component = health.component("issuer's keys");
        remote
            .keep_fresh(component, tasks)
            .context("a client for the issuer's keys")
    }

    /// Signs what the router says for users of its older clients.
    ///
    /// # Errors
    /// When its key cannot be read or made.
    pub fn router(&self) -> anyhow::Result<Arc<Signer>> {
        let path = self.settings.router.clone();
        let path = path.unwrap_or_else(|| self.folder.join("router.pem"));
        let signer = load(&path, &self.clock)?;
        publish(&signer, &self.folder.join(ROUTER))?;
        Ok(Arc::new(signer))
    }

    /// The built-in issuer of users' tokens; none unless the demo's issuer is on.
    ///
    /// # Errors
    /// When its key cannot be read or made.
    pub fn demo_issuer(&self) -> anyhow::Result<Option<Arc<Signer>>> {
        if !self.has_demo_issuer {
            return Ok(None);
        }
        let signer = load(&self.folder.join("demo.pem"), &self.clock)?;
        publish(&signer, &self.folder.join(DEMO))?;
        Ok(Some(Arc::new(signer)))
    }
}

/// Writes the public key as a set of one, whole at once: another process may be reading it.
fn publish(signer: &Signer, file: &Path) -> anyhow::Result<()> {
    let set = format!("{:#}\n", json!({ "keys": [signer.jwk()] }));
    if std::fs::read_to_string(file).is_ok_and(|there| there == set) {
        return Ok(());
    }
    let part = file.with_extension(format!("part-{}", std::process::id()));
    std::fs::write(&part, set)
        .and_then(|()| std::fs::rename(&part, file))
        .with_context(|| format!("writing {}", file.display()))
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

#[cfg(test)]
mod tests {
    use chassis::principal::Scopes;
    use schema::id::UserId;

    use super::*;
    use crate::cli::Common;

    fn settings(folder: &Path, set: &[String]) -> Settings {
        let common = Common {
            state_dir: Some(folder.to_owned()),
            set: set.to_vec(),
            ..Common::default()
        };
        Settings::load(&common).unwrap()
    }

    /// Fails with the sets read at the start alone, and with every key made there.
    #[test]
    fn processes_that_start_in_any_order_believe_each_other_and_hold_their_own_key() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let settings = settings(folder.path(), &[]);
        let loms = Keys::open(&settings, &clock).unwrap();
        let has = |name: &str| folder.path().join("keys").join(name).exists();
        assert!(!has("router.pem") && !has("demo.pem"), "loms signs nothing");
        let router = Keys::open(&settings, &clock).unwrap();
        let (shim, user) = (router.router().unwrap(), UserId::try_from(7).unwrap());
        assert!(has("router.pem") && !has("demo.pem"));
        let (ttl, scopes) = (Duration::from_secs(9), Scopes::CUSTOMER);
        let issuer = router.demo_issuer().unwrap().unwrap();
        let token = issuer.user_token(user, scopes, ttl);
        assert!(loms.verifier.verify_user(token.expose()).is_ok());
        let token = shim.delegated_token(user, scopes, "rest", ttl);
        assert!(loms.verifier.verify(token.expose()).is_ok());
        assert!(loms.verifier.verify_user(token.expose()).is_err());
        let token = shim.user_token(user, scopes, ttl);
        assert!(
            loms.verifier.verify(token.expose()).is_err(),
            "not an issuer"
        );
    }

    /// An issuer with names of its own, whose key is in a file. Fails with the issuer's name fixed.
    #[test]
    fn another_issuer_is_believed_under_its_own_names() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let signer = Signer::generate(clock.clone());
        let jwks = folder.path().join("issuer.json");
        publish(&signer, &jwks).unwrap();
        let set = |name: &str, value: &str| format!("keys.{name}={value}");
        let user = UserId::try_from(7).unwrap();
        let token = signer.user_token(user, Scopes::CUSTOMER, Duration::from_secs(60));
        for (issuer, audience, is_good) in [
            ("marketplace", "marketplace", true),
            ("https://id.example/", "marketplace", false),
            ("marketplace", "shop", false),
        ] {
            let set = [
                set("jwks", &jwks.display().to_string()),
                set("issuer", issuer),
                set("audience", audience),
            ];
            let keys = Keys::open(&settings(folder.path(), &set), &clock).unwrap();
            let verified = keys.verifier.verify_user(token.expose());
            assert_eq!(verified.is_ok(), is_good, "{issuer} {audience}");
        }
    }
}
