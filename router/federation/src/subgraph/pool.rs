//! Pooled connections to one subgraph, encrypted or not.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, ResponseFuture};
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls_platform_verifier::BuilderVerifierExt;

use crate::graph::RouteError;
use crate::subgraph::config::FetchConfig;

/// How long a connection may be silent before the other side is asked whether it is there.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Pooled connections to one subgraph.
pub(super) enum Pool {
    Plain(Client<HttpConnector, Full<Bytes>>),
    /// The version of HTTP is what the subgraph chooses by ALPN.
    Encrypted(Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

impl Pool {
    /// A client of one address.
    ///
    /// # Errors
    /// [`RouteError::Certificates`].
    pub(super) fn new(is_encrypted: bool, config: &FetchConfig) -> Result<Self, RouteError> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(config.connect_timeout));
        // A stream may be silent for long: this tells one that is from a machine that is gone.
        connector.set_keepalive(Some(KEEPALIVE));
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_idle_timeout(config.idle_timeout);
        if !is_encrypted {
            builder.http2_only(config.http2_prior_knowledge);
            return Ok(Self::Plain(builder.build(connector)));
        }
        connector.enforce_http(false);
        let tls = certificates()?;
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_only()
            .enable_all_versions()
            .wrap_connector(connector);
        Ok(Self::Encrypted(builder.build(connector)))
    }

    /// Sends a request, on a connection that is there or a new one.
    pub(super) fn send(&self, request: Request<Full<Bytes>>) -> ResponseFuture {
        match self {
            Self::Plain(client) => client.request(request),
            Self::Encrypted(client) => client.request(request),
        }
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
