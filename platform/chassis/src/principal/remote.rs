//! A set of keys that an issuer serves at an address: fetched, believed for a while, fetched again.
//!
//! Invariant: the last good set stays in force, whatever the issuer says or does not say. A token with an unknown key makes
//! the set be fetched at once, but not more often than once in [`Remote::pause`].

use std::{sync::Arc, time::Duration};

use reqwest::{Client, StatusCode, redirect};
use tokio::sync::Notify;
use url::Url;

use super::{
    KeySet, TokenError,
    keyset::{SET_MAX, parse},
};
use crate::{health::Component, tasks::Tasks};

/// How long one fetch may take in all.
const TIMEOUT: Duration = Duration::from_secs(5);

/// An address of keys, and how often it is asked.
#[derive(Debug, Clone)]
pub struct Remote {
    /// A JWKS document.
    pub url: Url,
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
        loop {
            let fetched = self.fetch(client).await;
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

    async fn fetch(&self, client: &Client) -> Result<(), FetchError> {
        let response = client.get(self.remote.url.clone()).send().await;
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
            // The rest of what is too long is not read.
            if bytes.len() as u64 > SET_MAX {
                break;
            }
        }
        Ok(self.keys.replace(&parse(&bytes)?)?)
    }
}

#[cfg(test)]
mod tests {
    use axum::{Router, extract::State, http, routing::get};
    use parking_lot::Mutex;
    use schema::id::UserId;
    use serde_json::json;

    use super::*;
    use crate::{
        clock::Clock,
        health::Health,
        principal::{Issuer, Scopes, Signer, Verifier},
    };

    /// What the issuer answers, and how often it was asked.
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
        let routes = Router::new().route("/keys", get(answer)).with_state(page);
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
            url: issuer(page.clone()).await,
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
}
