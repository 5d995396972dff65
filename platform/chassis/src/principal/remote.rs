//! A set of keys that an issuer serves at an address: fetched, believed for a while, fetched again. The issuer may be asked
//! for the address first, each time.
//!
//! Invariant: the last good set stays in force, and so does the last good address, whatever the issuer says or does not say.
//! A token with an unknown key makes the set be fetched at once, but not more often than once in [`Remote::pause`].

use std::{sync::Arc, time::Duration};

use reqwest::{Client, StatusCode, redirect};
use tokio::sync::Notify;
use url::Url;

use super::{
    KeySet, TokenError,
    discovery::{self, DiscoveryError},
    keyset::{SET_MAX, parse},
};
use crate::{health::Component, tasks::Tasks};

/// How long one document may take in all.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Who says where the keys are.
#[derive(Debug, Clone)]
pub enum Place {
    /// We do: a JWKS document.
    Keys(Url),
    /// The issuer with this name, in its description ([`discovery::description_url`]).
    Issuer(String),
}

/// A place of keys, and how often it is asked.
#[derive(Debug, Clone)]
pub struct Remote {
    /// Where they are.
    pub place: Place,
    /// How long a fetched set is believed before the next fetch.
    pub ttl: Duration,
    /// The least time between two fetches, and the pause after one that failed.
    pub pause: Duration,
}

/// A set that is to be fetched, and what keeps it fresh.
#[derive(Debug, Clone)]
pub struct RemoteKeys {
    /// The keys; none until the first fetch.
    pub keys: KeySet,
    wanted: Arc<Notify>,
    remote: Remote,
}

/// Why a fetch brought no keys.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("no response: {0}")]
    Http(#[from] reqwest::Error),
    #[error("status {0}")]
    Status(StatusCode),
    #[error("longer than {SET_MAX} bytes")]
    TooLong,
    #[error(transparent)]
    Description(#[from] DiscoveryError),
    #[error(transparent)]
    Keys(#[from] TokenError),
}

impl RemoteKeys {
    /// A set without keys; [`RemoteKeys::keep_fresh`] fetches them.
    #[must_use]
    pub fn new(remote: Remote) -> Self {
        let (keys, wanted) = KeySet::fetched();
        Self {
            keys,
            wanted,
            remote,
        }
    }

    /// Fetches now and from time to time, until the tasks' token. `component` is up once there are keys: until then every
    /// token is refused.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn keep_fresh(&self, component: Component, tasks: &Tasks) -> Result<(), reqwest::Error> {
        component.down("not fetched yet");
        // A redirect would let the keys come from somewhere that nobody named.
        let client = Client::builder()
            .timeout(TIMEOUT)
            .redirect(redirect::Policy::none())
            .build()?;
        let (this, stop) = (self.clone(), tasks.token());
        tasks.spawn("issuer's keys", async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = this.fetch_repeatedly(&client, &component) => {}
            }
        });
        Ok(())
    }

    async fn fetch_repeatedly(&self, client: &Client, component: &Component) {
        let mut known = None;
        loop {
            let fetched = self.fetch(client, &mut known).await;
            let wait = match &fetched {
                Ok(()) => {
                    component.up();
                    self.remote.ttl
                }
                Err(error) => {
                    tracing::warn!(%error, "the issuer's keys were not fetched");
                    if self.keys.is_empty() {
                        component.down("the issuer's keys were not fetched");
                    }
                    self.remote.pause
                }
            };
            tokio::time::sleep(self.remote.pause.min(wait)).await;
            tokio::select! {
                () = tokio::time::sleep(wait.saturating_sub(self.remote.pause)) => {}
                () = self.wanted.notified() => {}
            }
        }
    }

    /// Fetches the keys; `known` is where the issuer said last that they are.
    async fn fetch(&self, client: &Client, known: &mut Option<Url>) -> Result<(), FetchError> {
        let url = match &self.remote.place {
            Place::Keys(url) => url.clone(),
            Place::Issuer(issuer) => match (discover(client, issuer).await, &known) {
                (Ok(url), _) => known.insert(url).clone(),
                (Err(error), Some(url)) => {
                    tracing::warn!(%error, "the issuer's description was not fetched");
                    url.clone()
                }
                (Err(error), None) => return Err(error),
            },
        };
        Ok(self.keys.replace(&parse(&get(client, url).await?)?)?)
    }
}

async fn discover(client: &Client, issuer: &str) -> Result<Url, FetchError> {
    let description = get(client, discovery::description_url(issuer)?).await?;
    Ok(discovery::jwks_url(&description, issuer)?)
}

/// A document of bounded size. The rest of what is too long is not read.
async fn get(client: &Client, url: Url) -> Result<Vec<u8>, FetchError> {
    let response = client.get(url).send().await;
    let mut response = response.map_err(reqwest::Error::without_url)?;
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status(response.status()));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(reqwest::Error::without_url)?
    {
        bytes.extend_from_slice(&chunk);
        if bytes.len() as u64 > SET_MAX {
            return Err(FetchError::TooLong);
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use axum::{Router, extract::State, http};
    use parking_lot::Mutex;
    use schema::id::UserId;
    use serde_json::json;

    use super::*;
    use crate::{
        clock::Clock,
        health::Health,
        principal::{Issuer, Scopes, Signer, Verifier},
    };

    /// What a server answers, whatever it is asked, and how often it was asked.
    type Page = Arc<Mutex<(http::StatusCode, String, u32)>>;

    #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
    async fn issuer(page: Page) -> Url {
        let answer = async |State(page): State<Page>| {
            let mut page = page.lock();
            page.2 += 1;
            (page.0, page.1.clone())
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let routes = Router::new().fallback(answer).with_state(page);
        tokio::spawn(async move { axum::serve(listener, routes).await });
        url.parse().unwrap()
    }

    async fn eventually(is_so: impl Fn() -> bool) {
        let waiting = async {
            while !is_so() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(20), waiting).await;
        waited.expect("it comes to be so");
    }

    /// Fails with the unknown key not asked for, with a bad set put in force, and with the set emptied by a failure.
    #[tokio::test]
    async fn keys_rotate_and_the_last_good_set_stays() {
        crate::tls::install();
        let (first, second) = (
            Signer::generate(Clock::system()),
            Signer::generate(Clock::system()),
        );
        let set = |signers: &[&Signer]| {
            let keys: Vec<_> = signers.iter().map(|it| it.jwk()).collect();
            json!({ "keys": keys }).to_string()
        };
        let token = |signer: &Signer| {
            let user = UserId::try_from(7).unwrap();
            signer.user_token(user, Scopes::CUSTOMER, Duration::from_secs(600))
        };
        let (old, new) = (token(&first), token(&second));
        let page = Page::default();
        page.lock().0 = http::StatusCode::SERVICE_UNAVAILABLE;
        let remote = RemoteKeys::new(Remote {
            place: Place::Keys(issuer(page.clone()).await),
            ttl: Duration::from_secs(3_600),
            pause: Duration::from_millis(10),
        });
        let (tasks, health) = (Tasks::new(), Health::new());
        remote.keep_fresh(health.component("keys"), &tasks).unwrap();
        let verifier = Verifier::of(
            vec![Issuer::own(remote.keys.clone())],
            KeySet::files(Vec::new()).unwrap(),
            Clock::system(),
        );
        let is_good = |token: &crate::config::Secret| verifier.verify_user(token.expose()).is_ok();
        eventually(|| page.lock().2 > 1).await;
        assert!(!is_good(&old) && !health.is_ready(), "closed without keys");

        *page.lock() = (http::StatusCode::OK, set(&[&first]), 0);
        eventually(|| health.is_ready()).await;
        assert!(is_good(&old) && !is_good(&new));

        for broken in [
            (http::StatusCode::OK, "{".to_owned()),
            (http::StatusCode::OK, json!({"keys": []}).to_string()),
            (http::StatusCode::OK, " ".repeat(70_000) + &set(&[&second])),
            (http::StatusCode::OK, set(&vec![&second; 33])),
            (http::StatusCode::FOUND, set(&[&second])),
            (http::StatusCode::INTERNAL_SERVER_ERROR, set(&[&second])),
        ] {
            *page.lock() = (broken.0, broken.1, 0);
            // An unknown key asks for the set, at most ten times a second.
            eventually(|| !is_good(&new) && page.lock().2 > 0).await;
            assert!(is_good(&old) && !is_good(&new) && health.is_ready());
        }
        *page.lock() = (http::StatusCode::OK, set(&[&second, &first]), 0);
        eventually(|| is_good(&new)).await;
        assert!(is_good(&old));
        *page.lock() = (http::StatusCode::OK, set(&[&second]), 0);
        let stranger = token(&Signer::generate(Clock::system()));
        eventually(|| !is_good(&stranger) && !is_good(&old)).await;
        assert!(is_good(&new));
        assert!(tasks.shutdown(Duration::from_secs(5)).await.is_empty());
    }

    /// Seen red with the keys asked for no more once the issuer describes itself wrongly, or not at all.
    #[tokio::test]
    async fn the_issuer_says_where_its_keys_are_and_the_last_good_address_stays() {
        crate::tls::install();
        let (first, second) = (Page::default(), Page::default());
        let (at_first, at_second) = (issuer(first.clone()).await, issuer(second.clone()).await);
        let described = Page::default();
        let name = issuer(described.clone()).await.to_string();
        let signers = [(); 3].map(|()| Signer::generate(Clock::system()));
        let serve = |page: &Page, signer: &Signer| {
            let set = json!({ "keys": [signer.jwk()] }).to_string();
            *page.lock() = (http::StatusCode::OK, set, 0);
        };
        let describe = |status, issuer: &str, keys: &Url| {
            let description = json!({ "issuer": issuer, "jwks_uri": keys.as_str() });
            *described.lock() = (status, description.to_string(), 0);
        };
        serve(&first, &signers[0]);
        serve(&second, &signers[1]);
        let ok = http::StatusCode::OK;
        describe(ok, "https://evil.example", &at_first);
        let remote = RemoteKeys::new(Remote {
            place: Place::Issuer(name.clone()),
            ttl: Duration::from_millis(20),
            pause: Duration::from_millis(10),
        });
        let (tasks, health) = (Tasks::new(), Health::new());
        remote.keep_fresh(health.component("keys"), &tasks).unwrap();
        let has = |signer: &Signer| {
            let id = signer.jwk().common.key_id.unwrap();
            remote.keys.find(&id).is_some()
        };
        eventually(|| described.lock().2 > 1).await;
        assert!(remote.keys.is_empty() && !health.is_ready(), "another's");
        assert_eq!(first.lock().2, 0, "nothing of what it says is followed");

        describe(ok, &name, &at_first);
        eventually(|| has(&signers[0]) && health.is_ready()).await;
        describe(ok, &name, &at_second);
        eventually(|| has(&signers[1]) && !has(&signers[0])).await;

        for (status, issuer) in [
            (http::StatusCode::NOT_FOUND, name.as_str()),
            (http::StatusCode::FOUND, name.as_str()),
            (ok, "https://evil.example"),
        ] {
            describe(status, issuer, &at_first);
            second.lock().2 = 0;
            eventually(|| second.lock().2 > 1).await;
            assert!(has(&signers[1]) && !has(&signers[0]) && health.is_ready());
        }
        serve(&second, &signers[2]);
        eventually(|| has(&signers[2])).await;
        assert!(tasks.shutdown(Duration::from_secs(5)).await.is_empty());
    }
}
