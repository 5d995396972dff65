//! A subgraph behind GraphQL over HTTP, on pooled connections.
//!
//! Of the caller it forwards the headers of the request's context and the trace, and nothing else; the host's credential
//! goes beside them. The subgraph is told how large a response is taken in, and for how long it is waited for.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderValue, Method, Request, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::Instant;
use url::Url;

use crate::host::{Credential, Host, Telemetry};
use crate::request::RequestContext;
use crate::subgraph::config::FetchConfig;
use crate::subgraph::fetch::{FetchError, FetchRequest, Subgraph};

/// Tells the subgraph how many objects of its response are taken in.
const OBJECTS_MAX: &str = "x-response-objects-max";

/// Tells the subgraph for how many more milliseconds its response is waited for.
const TIMEOUT: &str = "x-request-timeout-ms";

/// Calls a subgraph by HTTP.
pub(super) struct Http {
    url: String,
    client: Client<HttpConnector, Full<Bytes>>,
    max_response_bytes: usize,
    telemetry: Arc<dyn Telemetry>,
    credential: Option<Arc<dyn Credential>>,
}

impl Http {
    /// A client of one subgraph.
    pub(super) fn new(url: &Url, config: &FetchConfig, host: &Host) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(config.connect_timeout));
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(config.idle_timeout)
            .http2_only(config.http2_prior_knowledge)
            .build(connector);
        Self {
            url: url.to_string(),
            client,
            max_response_bytes: config.max_response_bytes,
            telemetry: host.telemetry.clone(),
            credential: host.credential.clone(),
        }
    }

    fn request(
        &self,
        fetch: &FetchRequest,
        ctx: &RequestContext,
    ) -> Result<Request<Full<Bytes>>, http::Error> {
        let body = [&fetch.prefix[..], &fetch.variables, b"}"].concat();
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(&self.url)
            .header(header::CONTENT_TYPE, "application/json")
            .header(
                header::ACCEPT,
                "application/graphql-response+json, application/json;q=0.9",
            );
        request = request.header(OBJECTS_MAX, fetch.objects_max);
        let left = ctx.wanted_until().duration_since(Instant::now());
        let millis = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        request = request.header(TIMEOUT, millis.max(1));
        for (name, value) in &*ctx.headers {
            request = request.header(name, value);
        }
        if let Some(credential) = &self.credential {
            let (name, value) = credential.header();
            request = request.header(name, value);
        }
        if let Some(trace) = self.telemetry.traceparent(ctx.traceparent.as_deref()) {
            request = request.header("traceparent", HeaderValue::try_from(trace)?);
        }
        request.body(Full::new(Bytes::from(body)))
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
            let response = self.client.request(request).await.map_err(|error| {
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
                    return FetchError::Response(format!(
                        "longer than {} bytes",
                        self.max_response_bytes
                    ));
                }
                FetchError::Lost(error.to_string())
            })?;
            let bytes = bytes.to_bytes();
            // A refused operation is a GraphQL response with an error status; a gateway's error page is not.
            if !status.is_success() && bytes.first() != Some(&b'{') {
                return Err(FetchError::Response(format!("status {status}")));
            }
            Ok(bytes)
        })
    }
}
