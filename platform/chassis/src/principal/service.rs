//! Services among themselves: a short-lived token that says which service calls, beside the user's own token.
//!
//! A port that only services use answers nobody without it, whatever else a caller knows. A service signs with a key of its
//! own. Either the key is a file that an operator provides, with the public halves of all in one folder; or it is made anew at
//! each start, lives in memory, and its public half is put into the folder, which must then be this installation's alone.
//!
//! Invariant: a key that signs users' tokens opens no service's port, and a service's key signs no user's token: issuer and
//! audience differ, and the keys are of different sets. Source: RFC 7519 §4.1, RFC 8725 §3.8 and §3.9.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderName, HeaderValue};
use jsonwebtoken::jwk::Jwk;
use parking_lot::{Mutex, RwLock};
use serde::Serialize;
use serde_json::Value;

use super::{
    Signer, TokenError, claims,
    jws::Compact,
    keyset::{self, Key},
};
use crate::{clock::Clock, config::Secret};

/// The header, and the gRPC metadata, with the token of the calling service.
pub const SERVICE_TOKEN: &str = "x-service-token";

const ISSUER: &str = "marketplace-services";
const AUDIENCE: &str = "marketplace-services";

/// How long a token is valid.
const TTL: Duration = Duration::from_secs(60);
/// A token this close to its end is replaced, so that one on its way does not end there, nor at a machine whose clock is
/// ahead by less.
const RENEW_BEFORE: TimeDelta = TimeDelta::seconds(30);
/// The longest token that is looked at.
const TOKEN_BYTES_MAX: usize = 1_024;
/// Public keys that are read from the folder, the newest first.
const KEYS_MAX: usize = 1_000;
/// The largest file that can be a public key.
const KEY_BYTES_MAX: u64 = 4_096;
/// After which time the folder is read again even if it does not seem to have changed.
const REREAD_AFTER: TimeDelta = TimeDelta::milliseconds(50);
/// Verified tokens that are remembered, so that a signature is checked once for many calls.
const KNOWN_MAX: usize = 256;

#[derive(Debug, Serialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    iat: i64,
    exp: i64,
}

/// Signs the tokens of one service; gives out the same one until shortly before its end.
#[derive(Debug)]
pub struct ServiceSigner {
    service: &'static str,
    signer: Signer,
    clock: Clock,
    current: RwLock<Option<(HeaderValue, DateTime<Utc>)>>,
}

impl ServiceSigner {
    /// Signs as `service` with a key that is made now, and puts its public half into `folder`.
    ///
    /// # Errors
    /// [`TokenError::File`] when the folder cannot be written.
    pub fn announce(
        service: &'static str,
        folder: &Path,
        clock: Clock,
    ) -> Result<Self, TokenError> {
        let signer = Signer::generate(clock.clone());
        let jwk = signer.jwk();
        let id = jwk.common.key_id.clone().unwrap_or_default();
        let text = serde_json::to_string(&jwk).expect("a key of ours is JSON");
        fs::create_dir_all(folder)?;
        // Whole or not at all: others read the folder while this is written.
        let (name, part) = (
            format!("{service}.{id}.jwk"),
            format!("{service}.{id}.part"),
        );
        fs::write(folder.join(&part), text)?;
        fs::rename(folder.join(part), folder.join(name))?;
        Ok(Self::new(service, signer, clock))
    }

    /// Signs as `service` with the key in `file`, whose public half an operator has put into everybody's folder.
    ///
    /// # Errors
    /// [`TokenError`] when the file holds no key.
    pub fn from_file(service: &'static str, file: &Path, clock: Clock) -> Result<Self, TokenError> {
        let signer = Signer::load(file, clock.clone())?;
        Ok(Self::new(service, signer, clock))
    }

    fn new(service: &'static str, signer: Signer, clock: Clock) -> Self {
        Self {
            service,
            signer,
            clock,
            current: RwLock::default(),
        }
    }

    /// The header of a call, valid for at least 30 s; no log shows it.
    ///
    /// # Panics
    /// Never: a token is plain ASCII.
    pub fn header(&self) -> (HeaderName, HeaderValue) {
        let name = HeaderName::from_static(SERVICE_TOKEN);
        let now = self.clock.now();
        if let Some((value, ends_at)) = &*self.current.read()
            && *ends_at > now + RENEW_BEFORE
        {
            return (name, value.clone());
        }
        let token = self.sign(now);
        let mut value = HeaderValue::try_from(token.expose()).expect("a token is plain ASCII");
        value.set_sensitive(true);
        *self.current.write() = Some((value.clone(), now + TTL));
        (name, value)
    }

    fn sign(&self, now: DateTime<Utc>) -> Secret {
        let now = now.timestamp();
        self.signer.sign_claims(&Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: self.service.to_owned(),
            iat: now,
            exp: now.saturating_add_unsigned(TTL.as_secs()),
        })
    }
}

/// Says which service a token is of. Clones share what they know.
#[derive(Clone)]
pub struct ServiceVerifier(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    clock: Clock,
    keys: RwLock<HashMap<String, ServiceKey>>,
    /// As of when the folder was read last.
    read: Mutex<Reading>,
    known: RwLock<HashMap<String, Known>>,
}

/// A reading of the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reading {
    /// When the folder had changed last. Two changes may be of one time, so the files are counted, too.
    changed_at: Option<SystemTime>,
    files: usize,
    at: DateTime<Utc>,
}

impl Reading {
    fn of(folder: &Path, now: DateTime<Utc>) -> Self {
        let about = fs::metadata(folder).ok();
        Self {
            changed_at: about.and_then(|about| about.modified().ok()),
            files: fs::read_dir(folder).into_iter().flatten().count(),
            at: now,
        }
    }
}

/// A token that was verified: whose it is, and when it ends.
type Known = (Arc<str>, DateTime<Utc>);

/// A public key, and the only service whose tokens it may prove.
struct ServiceKey {
    service: Arc<str>,
    key: Arc<Key>,
}

impl std::fmt::Debug for ServiceVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let folder = &self.0.folder;
        f.debug_struct("ServiceVerifier")
            .field("folder", folder)
            .finish_non_exhaustive()
    }
}

impl ServiceVerifier {
    /// Believes the public keys in `folder`, `SERVICE.KEY-ID.jwk` each. A key that comes later is found when it is needed.
    #[must_use]
    pub fn new(folder: &Path, clock: Clock) -> Self {
        let inner = Inner {
            folder: folder.to_owned(),
            read: Mutex::new(Reading::of(folder, clock.now())),
            keys: RwLock::new(read_keys(folder)),
            clock,
            known: RwLock::default(),
        };
        Self(Arc::new(inner))
    }

    /// The service that a token is of.
    ///
    /// # Errors
    /// [`TokenError::Invalid`] with a reason that is safe to show.
    pub fn verify(&self, token: &str) -> Result<Arc<str>, TokenError> {
        let now = self.0.clock.now();
        if let Some((service, ends_at)) = self.0.known.read().get(token)
            && *ends_at > now
        {
            return Ok(Arc::clone(service));
        }
        let (service, ends_at) = self.check(token, now)?;
        let mut known = self.0.known.write();
        if known.len() >= KNOWN_MAX {
            known.retain(|_, (_, ends_at)| *ends_at > now);
        }
        if known.len() < KNOWN_MAX {
            known.insert(token.to_owned(), (Arc::clone(&service), ends_at));
        }
        Ok(service)
    }

    fn check(&self, token: &str, now: DateTime<Utc>) -> Result<Known, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Invalid("it is too long"));
        }
        let token = Compact::read(token)?;
        self.find(&token.key, now);
        let keys = self.0.keys.read();
        let ServiceKey { service, key } = keys
            .get(&token.key)
            .ok_or(TokenError::Invalid("its key is unknown"))?;
        let claims = token.signed_by(key)?;
        claims::check_parties(&claims, ISSUER, AUDIENCE)?;
        if claims.get("sub").and_then(Value::as_str) != Some(&**service) {
            return Err(TokenError::Invalid("its key is another service's"));
        }
        let ends_at = claims::check_time(&claims, now)?;
        let longest = TimeDelta::from_std(TTL).unwrap_or_default();
        if claims::lifetime(&claims)?.is_none_or(|it| it > longest) {
            return Err(TokenError::Invalid("it does not end within a minute"));
        }
        Ok((Arc::clone(service), ends_at))
    }

    /// Reads the folder again for a key that is not known, if it has changed: a service that has just started is believed at
    /// once.
    fn find(&self, id: &str, now: DateTime<Utc>) {
        if self.0.keys.read().contains_key(id) {
            return;
        }
        let mut read = self.0.read.lock();
        let current = Reading::of(&self.0.folder, now);
        let is_old = now.signed_duration_since(read.at) >= REREAD_AFTER;
        let has_changed = current.changed_at != read.changed_at || current.files != read.files;
        if has_changed || is_old {
            *read = current;
            *self.0.keys.write() = read_keys(&self.0.folder);
        }
    }
}

/// The keys of the folder by their id. What is no key is passed over: it opens nothing.
fn read_keys(folder: &Path) -> HashMap<String, ServiceKey> {
    let files = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok);
    let mut files: Vec<_> = files
        .filter_map(|file| {
            // Through a link: Kubernetes mounts a key as a link to where it puts the newest.
            let about = fs::metadata(file.path()).ok()?;
            let is_small = about.is_file() && about.len() <= KEY_BYTES_MAX;
            is_small.then_some((about.modified().ok()?, file.path()))
        })
        .collect();
    files.sort_by(|(a, _), (b, _)| b.cmp(a));
    let newest = files.into_iter().map(|(_, path)| path).take(KEYS_MAX);
    newest.filter_map(|path| read_key(&path)).collect()
}

fn read_key(path: &Path) -> Option<(String, ServiceKey)> {
    let name = path.file_name()?.to_str()?.strip_suffix(".jwk")?;
    let (service, _) = name.split_once('.')?;
    let jwk: Jwk = serde_json::from_str(&fs::read_to_string(path).ok()?).ok()?;
    let key = keyset::key(&jwk).ok()??;
    let service = service.into();
    Some((key.id.clone(), ServiceKey { service, key }))
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::jwk::JwkSet;
    use schema::id::UserId;

    use super::*;
    use crate::principal::{Scopes, Verifier};

    fn clock() -> Clock {
        Clock::manual(DateTime::from_timestamp(1_700_000_000, 0).unwrap())
    }

    fn token(signer: &ServiceSigner) -> String {
        signer.header().1.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_service_is_known_by_its_token_until_that_ends() {
        let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
        let verifier = ServiceVerifier::new(folder.path(), clock.clone());
        // It starts after the verifier has read the folder.
        let cart = ServiceSigner::announce("cart", folder.path(), clock.clone()).unwrap();
        let other = ServiceSigner::announce("other", folder.path(), clock.clone()).unwrap();
        assert_eq!(&*verifier.verify(&token(&other)).unwrap(), "other");
        // One after the other within a moment, as when two processes are killed and started again.
        let third = ServiceSigner::announce("third", folder.path(), clock.clone()).unwrap();
        assert_eq!(&*verifier.verify(&token(&third)).unwrap(), "third");
        let first = token(&cart);
        assert_eq!(&*verifier.verify(&first).unwrap(), "cart");
        clock.advance(Duration::from_secs(29));
        assert_eq!(token(&cart), first, "one token serves for a while");
        clock.advance(Duration::from_secs(2));
        assert_ne!(token(&cart), first, "and is renewed in time");
        clock.advance(Duration::from_secs(60));
        assert!(verifier.verify(&first).is_err(), "it has ended");
        assert!(verifier.verify(&token(&cart)).is_ok());
    }

    #[test]
    fn a_users_issuer_opens_no_service_and_a_service_is_no_user() {
        let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
        let router = ServiceSigner::announce("router", folder.path(), clock.clone()).unwrap();
        let verifier = ServiceVerifier::new(folder.path(), clock.clone());
        let issuer = Signer::generate(clock.clone());
        let ttl = Duration::from_secs(60);
        let user = issuer.user_token(UserId::try_from(1).unwrap(), Scopes::OPS, ttl);
        let service = issuer.service_token("router", ttl);
        for stranger in [user.expose(), service.expose(), "", "a.b.c"] {
            assert!(verifier.verify(stranger).is_err(), "{stranger}");
        }
        let keys = vec![router.signer.jwk(), issuer.jwk()];
        let users = Verifier::new(&JwkSet { keys }, clock).unwrap();
        assert!(
            users.verify(&token(&router)).is_err(),
            "even where its key is known"
        );
    }

    /// As Kubernetes mounts a ConfigMap: each file is a link through `..data`, which is replaced as one.
    ///
    /// Seen red with links passed over.
    #[test]
    fn keys_may_be_links_to_a_folder_that_is_replaced_as_a_whole() {
        use std::os::unix::fs::symlink;
        let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
        let at = |name: &str| folder.path().join(name);
        let announced = |version: &str| {
            let signer = ServiceSigner::announce("cart", &at(version), clock.clone()).unwrap();
            for file in fs::read_dir(at(version)).unwrap() {
                let name = file.unwrap().file_name();
                let link = folder.path().join(&name);
                symlink(Path::new("..data").join(&name), link).unwrap();
            }
            symlink(version, at("..data_tmp")).unwrap();
            fs::rename(at("..data_tmp"), at("..data")).unwrap();
            signer
        };
        let first = announced("..first");
        let verifier = ServiceVerifier::new(folder.path(), clock.clone());
        assert_eq!(&*verifier.verify(&token(&first)).unwrap(), "cart");
        let second = announced("..second");
        assert_eq!(&*verifier.verify(&token(&second)).unwrap(), "cart");
    }

    /// Fails without the comparison of `sub` with the key's service.
    #[test]
    fn a_service_cannot_speak_for_another() {
        let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
        let comments = ServiceSigner::announce("comments", folder.path(), clock.clone()).unwrap();
        let verifier = ServiceVerifier::new(folder.path(), clock.clone());
        let now = clock.now().timestamp();
        let claims = |sub: &str, exp| Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: sub.to_owned(),
            iat: now,
            exp,
        };
        let signed = |claims: &Claims| comments.signer.sign_claims(claims);
        assert!(
            verifier
                .verify(signed(&claims("comments", now + 60)).expose())
                .is_ok()
        );
        assert!(
            verifier
                .verify(signed(&claims("router", now + 60)).expose())
                .is_err()
        );
        let for_ever = signed(&claims("comments", now + 3_600));
        assert!(
            verifier.verify(for_ever.expose()).is_err(),
            "it lives too long"
        );
    }
}
