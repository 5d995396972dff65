//! A subgraph behind GraphQL over HTTP, on pooled connections.
//!
//! Of the caller it forwards what the subgraph's [`HeaderRules`] say and the trace, and nothing else; a trusted subgraph
//! gets the host's credential too. The subgraph is told how large a response is taken in, and for how long it is waited
//! for. What is no GraphQL response by its first byte, such as a page of HTML with status 200, is none.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, ResponseFuture};
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::time::Instant;
use url::Url;

use crate::graph::RouteError;
use crate::host::{Credential, Host, Telemetry};
use crate::request::RequestContext;
use crate::subgraph::HeaderRules;
use crate::subgraph::config::FetchConfig;
use crate::subgraph::fetch::{FetchError, FetchRequest, Subgraph};

/// Tells the subgraph how many objects of its response are taken in.
const OBJECTS_MAX: HeaderName = HeaderName::from_static("x-response-objects-max");
/// Tells the subgraph for how many more milliseconds its response is waited for.
const TIMEOUT: HeaderName = HeaderName::from_static("x-request-timeout-ms");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Calls a subgraph by HTTP.
pub(super) struct Http {
    uri: Uri,
    client: Pool,
    max_response_bytes: usize,
    headers: HeaderRules,
    telemetry: Arc<dyn Telemetry>,
    credential: Option<Arc<dyn Credential>>,
}

/// Pooled connections to one subgraph.
enum Pool {
    Plain(Client<HttpConnector, Full<Bytes>>),
    /// The version of HTTP is what the subgraph chooses by ALPN.
    Encrypted(Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

impl Pool {
    fn new(is_encrypted: bool, config: &FetchConfig) -> Result<Self, RouteError> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(config.connect_timeout));
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_idle_timeout(config.idle_timeout);
        if !is_encrypted {
            builder.http2_only(config.http2_prior_knowledge);
            return Ok(Self::Plain(builder.build(connector)));
        }
        connector.enforce_http(false);
        let refused = |error: rustls::Error| RouteError::Certificates(error.to_string());
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(BuilderVerifierExt::with_platform_verifier)
            .map_err(refused)?
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_only()
            .enable_all_versions()
            .wrap_connector(connector);
        Ok(Self::Encrypted(builder.build(connector)))
    }

    fn send(&self, request: Request<Full<Bytes>>) -> ResponseFuture {
        match self {
            Self::Plain(client) => client.request(request),
            Self::Encrypted(client) => client.request(request),
        }
    }
}

impl Http {
    /// A client of one subgraph.
    ///
    /// # Errors
    /// [`RouteError`] for an address that no request can be sent to, and for an `https` one on a machine without
    /// certificates.
    pub(super) fn new(
        url: &Url,
        config: &FetchConfig,
        headers: &HeaderRules,
        host: &Host,
    ) -> Result<Self, RouteError> {
        let unfit = |_| RouteError::Url {
            url: url.host_str().unwrap_or_default().to_owned(),
        };
        let credential = host.credential.clone().filter(|_| headers.is_trusted);
        Ok(Self {
            uri: url.as_str().parse().map_err(unfit)?,
            client: Pool::new(url.scheme() == "https", config)?,
            max_response_bytes: config.max_response_bytes,
            headers: headers.clone(),
            telemetry: host.telemetry.clone(),
            credential,
        })
    }

    fn request(
        &self,
        fetch: &FetchRequest,
        ctx: &RequestContext,
    ) -> Result<Request<Full<Bytes>>, http::Error> {
        let body = [&fetch.prefix[..], &fetch.variables, b"}"].concat();
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        self.headers.apply(ctx, headers);
        self.own_headers(fetch, ctx, headers)?;
        Ok(request)
    }

    /// What no rule changes.
    fn own_headers(
        &self,
        fetch: &FetchRequest,
        ctx: &RequestContext,
        headers: &mut HeaderMap,
    ) -> Result<(), http::Error> {
        let accepted = "application/graphql-response+json, application/json;q=0.9";
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        headers.insert(header::ACCEPT, HeaderValue::from_static(accepted));
        headers.insert(OBJECTS_MAX, HeaderValue::from(fetch.objects_max));
        let left = ctx.wanted_until().duration_since(Instant::now());
        let millis = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        headers.insert(TIMEOUT, HeaderValue::from(millis.max(1)));
        if let Some(credential) = &self.credential {
            let (name, value) = credential.header();
            headers.insert(name, value);
        }
        if let Some(trace) = self.telemetry.traceparent(ctx.traceparent.as_deref()) {
            headers.insert(TRACEPARENT, HeaderValue::try_from(trace)?);
        }
        Ok(())
    }
}

impl Subgraph for Http {
    fn fetch<'a>(
        &'a self,
        request: FetchRequest,
        ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Bytes, FetchError>> {
        Box::pin(async move {
            let request = self
                .request(&request, ctx)
                .map_err(|error| FetchError::Response(error.to_string()))?;
            let response = self.client.send(request).await.map_err(|error| {
                if error.is_connect() {
                    FetchError::Connect(error.to_string())
                } else {
                    FetchError::Lost(error.to_string())
                }
            })?;
            let status = response.status();
            let body = Limited::new(response.into_body(), self.max_response_bytes);
            let bytes = body.collect().await.map_err(|error| {
                if error.is::<LengthLimitError>() {
                    return FetchError::TooLong {
                        bytes_max: self.max_response_bytes,
                    };
                }
                FetchError::Lost(error.to_string())
            })?;
            let bytes = bytes.to_bytes();
            // A refused operation is a GraphQL response with an error status; a page of a gateway, or of nobody knows whom,
            // is none, whatever its status.
            match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
                Some(b'{') => {}
                _ if !status.is_success() => return Err(FetchError::Status(status.as_u16())),
                None => return Err(FetchError::Empty),
                Some(_) => return Err(FetchError::Response("no JSON object".to_owned())),
            }
            Ok(bytes)
        })
    }
}
