//! The public keys that are believed, by id, and where they come from.
//!
//! Invariant: a set that cannot be read again keeps what it has. An unknown key makes it look again, at most ten times a
//! second, so that a flood of tokens with invented keys costs few reads; and nobody is refused for a key that somebody else
//! is just reading.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyOperations, PublicKeyUse},
};
use parking_lot::{Mutex, RwLock};
use tokio::{sync::Notify, time::Instant};

use super::TokenError;

/// The most bytes of one set.
pub(super) const SET_MAX: u64 = 64 << 10;
/// The most keys of one set.
const KEYS_MAX: usize = 32;
/// An RSA key below 2,048 bits is not believed. Source: RFC 7518 §3.3.
const RSA_MIN_BYTES: usize = 256;
/// How often unknown keys may make the set look again, and how far ahead of that a few may be.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const LOOKS_AHEAD: Duration = Duration::from_secs(1);

/// A key that may have signed a token.
pub(super) struct Key {
    /// The `kid` of its tokens.
    pub(super) id: String,
    /// What the key signs with, whatever a token's header says.
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
    /// What it was read from.
    jwk: Jwk,
}

/// Public keys. Clones share them.
#[derive(Clone)]
pub struct KeySet(Arc<Inner>);

struct Inner {
    source: Source,
    keys: RwLock<Vec<Arc<Key>>>,
    /// Grows with each change of the keys, after it.
    version: AtomicU64,
    /// When the looks that were taken would all have been due.
    due: Mutex<Instant>,
}

enum Source {
    Fixed,
    /// JWKS files, and folders of them. What is missing has no keys yet.
    Files(Vec<PathBuf>),
    /// A task fetches it; the notice asks for it now.
    Fetched(Arc<Notify>),
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeySet")
            .field("keys", &self.0.keys.read().len())
            .finish_non_exhaustive()
    }
}

impl KeySet {
    /// A set that never changes.
    ///
    /// # Errors
    /// [`TokenError::Keys`] when a key cannot be used or none is left.
    pub fn fixed(set: &JwkSet) -> Result<Self, TokenError> {
        let keys = usable(set)?;
        if keys.is_empty() {
            return Err(no_keys());
        }
        Ok(Self::of(Source::Fixed, keys))
    }

    /// The sets in `paths`: JWKS files, and folders whose `*.json` are JWKS files. A path that is missing has no keys
    /// yet; it is read again when a token names a key that is not known.
    ///
    /// # Errors
    /// [`TokenError::File`] and [`TokenError::Keys`] for a file that is there and cannot be used.
    pub fn files(paths: Vec<PathBuf>) -> Result<Self, TokenError> {
        let keys = read(&paths)?;
        Ok(Self::of(Source::Files(paths), keys))
    }

    /// A set that somebody fetches, with the notice that a token named an unknown key.
    pub(super) fn fetched() -> (Self, Arc<Notify>) {
        let wanted = Arc::new(Notify::new());
        let set = Self::of(Source::Fetched(wanted.clone()), Vec::new());
        (set, wanted)
    }

    fn of(source: Source, keys: Vec<Arc<Key>>) -> Self {
        Self(Arc::new(Inner {
            source,
            keys: RwLock::new(keys),
            version: AtomicU64::default(),
            due: Mutex::new(Instant::now()),
        }))
    }

    /// Whether there is no key at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.keys.read().is_empty()
    }

    /// Puts another set in the place of this one's.
    ///
    /// # Errors
    /// As [`KeySet::fixed`]; the keys stay as they are then.
    pub(super) fn replace(&self, set: &JwkSet) -> Result<(), TokenError> {
        let keys = usable(set)?;
        if keys.is_empty() {
            return Err(no_keys());
        }
        self.put(keys);
        Ok(())
    }

    /// Which state the keys are in: another one after a change. The same keys read again are no change, so that tokens
    /// with invented keys, which have a set read again, make nobody's good token be checked again.
    pub(super) fn version(&self) -> u64 {
        self.0.version.load(Ordering::Acquire)
    }

    fn put(&self, keys: Vec<Arc<Key>>) {
        let mut current = self.0.keys.write();
        let are_same = current
            .iter()
            .map(|it| &it.jwk)
            .eq(keys.iter().map(|it| &it.jwk));
        if !are_same {
            *current = keys;
            self.0.version.fetch_add(1, Ordering::Release);
        }
    }

    /// The key of this id. Looks again when there is none.
    pub(super) fn find(&self, id: &str) -> Option<Arc<Key>> {
        self.known(id).or_else(|| {
            self.look_again(id);
            self.known(id)
        })
    }

    fn known(&self, id: &str) -> Option<Arc<Key>> {
        let keys = self.0.keys.read();
        keys.iter().find(|key| key.id == id).cloned()
    }

    fn look_again(&self, id: &str) {
        if matches!(self.0.source, Source::Fixed) {
            return;
        }
        // Held while the set is read: who comes meanwhile waits for it, and may find the key then.
        let mut due = self.0.due.lock();
        let now = Instant::now();
        if self.known(id).is_some() || *due > now + LOOKS_AHEAD {
            return;
        }
        *due = now.max(*due) + LOOK_EVERY;
        match &self.0.source {
            Source::Fixed => {}
            Source::Fetched(wanted) => wanted.notify_one(),
            Source::Files(paths) => match read(paths) {
                Ok(keys) => self.put(keys),
                Err(error) => tracing::warn!(%error, "keys not read again"),
            },
        }
    }
}

fn no_keys() -> TokenError {
    TokenError::Keys("no EdDSA, ES256 or RS256 key with an id".to_owned())
}

fn read(paths: &[PathBuf]) -> Result<Vec<Arc<Key>>, TokenError> {
    let mut keys = Vec::new();
    for path in paths {
        let files = match std::fs::read_dir(path) {
            Ok(entries) => entries
                .map(|entry| Ok(entry?.path()))
                .filter(
                    |file| !matches!(file, Ok(file) if file.extension() != Some("json".as_ref())),
                )
                .take(KEYS_MAX)
                .collect::<Result<Vec<_>, std::io::Error>>()?,
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => vec![path.clone()],
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error.into()),
        };
        for file in files {
            keys.extend(read_file(&file)?);
        }
    }
    Ok(keys)
}

fn read_file(path: &std::path::Path) -> Result<Vec<Arc<Key>>, TokenError> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let mut file = std::fs::File::open(path)?.take(SET_MAX + 1);
    file.read_to_end(&mut bytes)?;
    parse(&bytes)
        .and_then(|set| usable(&set))
        .map_err(|error| TokenError::Keys(format!("{}: {error}", path.display())))
}

/// Reads a set of bounded size.
pub(super) fn parse(bytes: &[u8]) -> Result<JwkSet, TokenError> {
    if bytes.len() as u64 > SET_MAX {
        return Err(TokenError::Keys(format!("longer than {SET_MAX} bytes")));
    }
    // A key of a kind that is not known here is left out; it must not make the others unusable.
    let set: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|error| TokenError::Keys(error.to_string()))?;
    let keys = set.get("keys").and_then(serde_json::Value::as_array);
    let keys = keys.ok_or_else(|| TokenError::Keys("no list `keys`".to_owned()))?;
    if keys.len() > KEYS_MAX {
        let told = format!("{} keys; at most {KEYS_MAX} are read", keys.len());
        return Err(TokenError::Keys(told));
    }
    let known = keys
        .iter()
        .filter_map(|key| serde_json::from_value(key.clone()).ok());
    Ok(JwkSet {
        keys: known.collect(),
    })
}

/// The keys of a set that can check a signature.
fn usable(set: &JwkSet) -> Result<Vec<Arc<Key>>, TokenError> {
    set.keys
        .iter()
        .filter_map(|jwk| key(jwk).transpose())
        .collect()
}

/// The key of a JWK; `None` for one without an id, and for one that signs nothing here.
pub(super) fn key(jwk: &Jwk) -> Result<Option<Arc<Key>>, TokenError> {
    let (Some(id), Some(algorithm)) = (&jwk.common.key_id, algorithm(jwk)) else {
        return Ok(None);
    };
    let key = DecodingKey::from_jwk(jwk);
    let key = key.map_err(|error| TokenError::Keys(error.to_string()))?;
    Ok(Some(Arc::new(Key {
        id: id.clone(),
        algorithm,
        key,
        jwk: jwk.clone(),
    })))
}

/// The one algorithm of a key: by its kind, which its `alg` must not contradict. `None` for a key that signs nothing here.
fn algorithm(jwk: &Jwk) -> Option<Algorithm> {
    let common = &jwk.common;
    if !matches!(common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return None;
    }
    if let Some(operations) = &common.key_operations {
        operations
            .iter()
            .find(|operation| matches!(operation, KeyOperations::Verify))?;
    }
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            Algorithm::EdDSA
        }
        AlgorithmParameters::EllipticCurve(point) if point.curve == EllipticCurve::P256 => {
            Algorithm::ES256
        }
        AlgorithmParameters::RSA(rsa) if rsa.n.len() * 3 / 4 >= RSA_MIN_BYTES => Algorithm::RS256,
        _ => return None,
    };
    match common.key_algorithm {
        None => Some(algorithm),
        Some(named) => (named.to_string().parse() == Ok(algorithm)).then_some(algorithm),
    }
}
