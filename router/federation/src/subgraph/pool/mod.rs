//! Pooled connections to one subgraph, encrypted or not.

mod driven;
mod kept;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::uri::Scheme;
use http::{Request, Response, Uri, response};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls_platform_verifier::BuilderVerifierExt;

use crate::graph::RouteError;
use crate::subgraph::config::FetchConfig;
use crate::subgraph::error::FetchError;
use kept::Kept;

/// How long a connection may be silent before the other side is asked whether it is there.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Pooled connections to one subgraph.
pub(super) struct Pool {
    library: Library,
    /// Has the fetches where they go over HTTP/1.1 for sure; streams, HTTP/2 and what TLS decides are the library's.
    kept: Option<Kept>,
}

enum Library {
    Plain(Client<HttpConnector, Full<Bytes>>),
    /// The version of HTTP is what the subgraph chooses by ALPN.
    Encrypted(Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

impl Pool {
    /// A client of one address.
    ///
    /// # Errors
    /// [`RouteError::Certificates`].
    pub(super) fn new(address: &Uri, config: &FetchConfig) -> Result<Self, RouteError> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(config.connect_timeout));
        // A stream may be silent for long: this tells one that is from a machine that is gone.
        connector.set_keepalive(Some(KEEPALIVE));
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_idle_timeout(config.idle_timeout);
        if address.scheme() != Some(&Scheme::HTTPS) {
            builder.http2_only(config.http2_prior_knowledge);
            let is_http1 = !config.http2_prior_knowledge;
            let kept = is_http1
                .then(|| Kept::new(address.clone(), connector.clone(), config.idle_timeout));
            return Ok(Self {
                library: Library::Plain(builder.build(connector)),
                kept: kept.flatten(),
            });
        }
        connector.enforce_http(false);
        let tls = certificates()?;
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_only()
            .enable_all_versions()
            .wrap_connector(connector);
        Ok(Self {
            library: Library::Encrypted(builder.build(connector)),
            kept: None,
        })
    }

    /// Sends a request to the address, on a connection that is there or a new one, and reads the whole response, of at most
    /// `bytes_max`.
    ///
    /// # Errors
    /// [`FetchError::Connect`], [`FetchError::Lost`] and [`FetchError::TooLong`].
    pub(super) async fn fetch(
        &self,
        request: Request<Full<Bytes>>,
        bytes_max: usize,
    ) -> Result<(response::Parts, Bytes), FetchError> {
        if let Some(kept) = &self.kept {
            return kept.fetch(request, bytes_max).await;
        }
        let (head, body) = self.open(request).await?.into_parts();
        let body = Limited::new(body, bytes_max).collect().await;
        let body = body.map_err(|error| cut(&*error, bytes_max))?;
        Ok((head, body.to_bytes()))
    }

    /// Sends a request to the address, on a connection that is there or a new one, for a response that may go on for long.
    ///
    /// # Errors
    /// [`FetchError::Connect`] and [`FetchError::Lost`].
    pub(super) async fn open(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, FetchError> {
        let response = match &self.library {
            Library::Plain(client) => client.request(request),
            Library::Encrypted(client) => client.request(request),
        };
        response.await.map_err(|error| {
            if error.is_connect() {
                FetchError::Connect(error.to_string())
            } else {
                FetchError::Lost(error.to_string())
            }
        })
    }
}

/// Why the body of a response was not read to its end.
fn cut(error: &(dyn Error + Send + Sync + 'static), bytes_max: usize) -> FetchError {
    if error.is::<LengthLimitError>() {
        FetchError::TooLong { bytes_max }
    } else {
        FetchError::Lost(error.to_string())
    }
}

/// How this machine tells who answers: by its own certificates.
///
/// # Errors
/// [`RouteError::Certificates`].
pub(super) fn certificates() -> Result<ClientConfig, RouteError> {
    let refused = |error: rustls::Error| RouteError::Certificates(error.to_string());
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(BuilderVerifierExt::with_platform_verifier)
        .map_err(refused)?;
    Ok(config.with_no_client_auth())
}
