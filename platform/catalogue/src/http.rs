//! Asks the product service over HTTP, within the rules that its callers share. Source: docs/contracts.md §2.
//!
//! A look-up waits for its turn before each try; 420 and 429 are tried again after a growing pause, nothing else is; the
//! deadline counts the waiting, the tries and the pauses. Reading a body stops at its bound. While the service is known to
//! be down nothing waits: neither for a turn nor for a response.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use backon::{ExponentialBuilder, Retryable as _};
use chassis::{
    breaker::Breaker,
    config::mask_urls,
    listen::KEEP_IDLE,
    telemetry::{http::TRACEPARENT, trace},
};
use reqwest::{
    Client, Response, StatusCode, Url,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use schema::id::Sku;
use serde::{Deserialize, de::DeserializeOwned};
use tokio::{sync::Semaphore, time};
use tracing::Instrument as _;

use crate::{
    client::ProductClient,
    config::Config,
    error::Error,
    metrics::{self, Queued},
    product::Product,
    rate_limit::RateLimit,
};

const KEY_HEADER: HeaderName = HeaderName::from_static("x-api-key");
/// "Enhance your calm": the older product service's way of saying 429.
const CALM_DOWN: u16 = 420;

/// The argument that asks for names in other languages. Source: docs/contracts.md §2.
const TRANSLATIONS: &str = "translations";

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// Bytes of a response with one product, and of one with a page of up to 1000.
const MAX_PRODUCT_BYTES: usize = 64 * 1024;
const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;

/// The product service behind an address. One per process, since it holds the process's rate.
#[derive(Debug)]
pub struct HttpClient {
    http: Client,
    root: Url,
    rate: RateLimit,
    in_flight: Semaphore,
    breaker: Breaker,
    pauses: ExponentialBuilder,
    retries: usize,
    deadline: Duration,
}

/// Settings from which no client can be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The address is invalid.
    #[error("{setting}_url is not an http address: {:?}", mask_urls(.url))]
    Url {
        /// How the service's settings begin.
        setting: &'static str,
        /// What was set.
        url: String,
    },
    /// The key cannot be sent in a header.
    #[error("{setting}_key has characters that a header cannot carry")]
    Key {
        /// How the service's settings begin.
        setting: &'static str,
    },
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made")]
    Client(#[from] reqwest::Error),
}

impl HttpClient {
    /// A client with the configured address, key, rate, retries and times.
    ///
    /// # Errors
    /// [`SetupError`] names the setting that is wrong.
    pub fn new(config: &Config) -> Result<Self, SetupError> {
        chassis::tls::install();
        let setting = config.setting;
        let url = || SetupError::Url {
            setting,
            url: config.url.clone(),
        };
        let root = Url::parse(&config.url).map_err(|_| url())?;
        if root.cannot_be_a_base() || !root.scheme().starts_with("http") {
            return Err(url());
        }
        let mut key =
            HeaderValue::from_str(config.key.expose()).map_err(|_| SetupError::Key { setting })?;
        key.set_sensitive(true);
        let http = Client::builder()
            .pool_idle_timeout(KEEP_IDLE)
            .default_headers(HeaderMap::from_iter([(KEY_HEADER, key)]))
            .timeout(config.timeout)
            .connect_timeout(config.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self {
            http,
            root,
            rate: RateLimit::new(config.rate, config.burst),
            in_flight: Semaphore::new(config.concurrency.max(1)),
            breaker: Breaker::new("product"),
            pauses: ExponentialBuilder::new()
                .with_min_delay(FIRST_PAUSE)
                .with_max_delay(MAX_PAUSE)
                .with_max_times(config.retries)
                .with_jitter(),
            retries: config.retries,
            deadline: config.deadline,
        })
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.root.clone();
        url.path_segments_mut()
            .expect("checked to be a base")
            .pop_if_empty()
            .extend(path);
        url
    }

    /// Asks until there is a response that is not "slow down", or the retries or the time are over.
    async fn get(&self, url: &Url, max_bytes: usize) -> Result<Buffered, Error> {
        let response = (|| self.try_once(url, max_bytes))
            .retry(self.pauses)
            .when(|error| matches!(error, Error::Throttled { .. }));
        time::timeout(self.deadline, response)
            .await
            .map_err(|_| Error::TookTooLong {
                limit: self.deadline,
            })?
    }

    async fn try_once(&self, url: &Url, max_bytes: usize) -> Result<Buffered, Error> {
        // Nobody waits for a turn that would be of no use.
        self.breaker.check()?;
        let queued = Queued::start();
        let _slot = self
            .in_flight
            .acquire()
            .await
            .expect("the semaphore is never closed");
        self.rate.turn().await;
        drop(queued);
        let pass = self.breaker.enter()?;
        let started_at = time::Instant::now();
        let sent = self.send(url, max_bytes);
        let response = match pass.patience() {
            Some(limit) => time::timeout(limit, sent)
                .await
                .unwrap_or(Err(Error::TookTooLong { limit })),
            None => sent.await,
        };
        if is_down(&response) {
            pass.fail();
        } else {
            pass.succeed();
        }
        metrics::requested(outcome(&response), started_at.elapsed());
        match response {
            Ok(response) if is_slow_down(response.status) => Err(Error::Throttled {
                tries: self.retries + 1,
            }),
            other => other,
        }
    }

    async fn send(&self, url: &Url, max_bytes: usize) -> Result<Buffered, Error> {
        let span = tracing::debug_span!(
            "product",
            otel.name = "GET product",
            otel.kind = "client",
            url.path = url.path(),
        );
        let mut request = self.http.get(url.clone());
        if let Some(trace) = trace::traceparent(&span) {
            request = request.header(TRACEPARENT, trace);
        }
        let read = async {
            let response = request.send().await.map_err(unreachable)?;
            let status = response.status();
            let body = read_bounded(response, max_bytes).await?;
            Ok(Buffered { status, body })
        };
        read.instrument(span).await
    }
}

#[async_trait]
impl ProductClient for HttpClient {
    async fn find(&self, sku: Sku) -> Result<Option<Product>, Error> {
        let mut url = self.url(&["product", &sku.to_string()]);
        url.query_pairs_mut().append_pair(TRANSLATIONS, "true");
        let response = self.get(&url, MAX_PRODUCT_BYTES).await?;
        match response.status {
            StatusCode::OK => {
                let product = response.json::<Row>()?.product()?;
                if product.sku != sku {
                    return Err(malformed(format!("sku {} for sku {sku}", product.sku)));
                }
                Ok(Some(product))
            }
            StatusCode::NOT_FOUND => response.json::<NotFound>().map(|_| None),
            status => Err(Error::Status {
                status: status.as_u16(),
            }),
        }
    }

    async fn list(&self, after: Option<Sku>, count: u32) -> Result<Arc<[Product]>, Error> {
        let mut url = self.url(&["product"]);
        let after = after.map_or(0, Sku::get);
        url.query_pairs_mut()
            .append_pair("count", &count.to_string())
            .append_pair("start_after_sku", &after.to_string())
            .append_pair(TRANSLATIONS, "true");
        let response = self.get(&url, MAX_PAGE_BYTES).await?;
        if response.status != StatusCode::OK {
            return Err(Error::Status {
                status: response.status.as_u16(),
            });
        }
        let rows = response.json::<Vec<Row>>()?;
        let mut least = after;
        let page = rows.into_iter().map(|row| {
            let product = row.product()?;
            if product.sku.get() <= least {
                return Err(malformed(
                    "a page that does not ascend behind its start".to_owned(),
                ));
            }
            least = product.sku.get();
            Ok(product)
        });
        page.take(usize::try_from(count).unwrap_or(usize::MAX))
            .collect()
    }
}

/// A response whose body is read.
struct Buffered {
    status: StatusCode,
    body: Vec<u8>,
}

impl Buffered {
    fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| malformed(error.to_string()))
    }
}

/// A product on the wire.
#[derive(Deserialize)]
struct Row {
    sku: i64,
    name: String,
    price: i64,
    #[serde(default)]
    translations: Translations,
}

/// The name in other languages; a service that knows of none leaves them out.
#[derive(Default, Deserialize)]
struct Translations {
    en: Option<String>,
}

impl Row {
    fn product(self) -> Result<Product, Error> {
        let sku = Sku::try_from(self.sku).map_err(|error| malformed(error.to_string()))?;
        let price = u32::try_from(self.price)
            .map_err(|_| malformed(format!("price {} of sku {sku}", self.price)))?;
        let name_en = self.translations.en.as_deref();
        Ok(Product::new(sku, &self.name, name_en, price))
    }
}

/// The body that tells "not in the catalogue" from a 404 of somebody else's.
#[derive(Deserialize)]
struct NotFound {
    #[serde(rename = "code")]
    _code: i64,
}

async fn read_bounded(mut response: Response, max_bytes: usize) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > max_bytes {
            return Err(malformed(format!("a body of more than {max_bytes} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Whether the service did not respond, or only that it cannot. One that is merely busy says when it may be asked.
fn is_down(response: &Result<Buffered, Error>) -> bool {
    match response {
        Ok(response) => response.status.is_server_error(),
        Err(Error::Unreachable(_) | Error::TookTooLong { .. }) => true,
        Err(
            Error::KnownToBeDown(_)
            | Error::Throttled { .. }
            | Error::Status { .. }
            | Error::TooLong { .. }
            | Error::Malformed { .. },
        ) => false,
    }
}

fn is_slow_down(status: StatusCode) -> bool {
    matches!(status.as_u16(), CALM_DOWN | 429)
}

/// How a request ended, as its metric names it.
fn outcome(response: &Result<Buffered, Error>) -> &'static str {
    match response.as_ref().map(|response| response.status.as_u16()) {
        Ok(200) => "ok",
        Ok(404) => "missing",
        Ok(CALM_DOWN | 429) => "throttled",
        Ok(500..) => "broken",
        Ok(_) => "unexpected",
        Err(Error::Unreachable(_)) => "unreachable",
        Err(Error::Malformed { .. }) => "malformed",
        Err(
            Error::KnownToBeDown(_)
            | Error::Throttled { .. }
            | Error::TookTooLong { .. }
            | Error::Status { .. }
            | Error::TooLong { .. },
        ) => "failed",
    }
}

fn unreachable(error: reqwest::Error) -> Error {
    // The address goes: it is in the settings, and the key must never come along.
    Error::Unreachable(Arc::new(error.without_url()))
}

fn malformed(reason: String) -> Error {
    Error::Malformed { reason }
}
