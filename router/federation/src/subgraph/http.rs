//! A subgraph behind GraphQL over HTTP, on pooled connections.
//!
//! Of the caller it forwards what the subgraph's [`HeaderRules`] say and the trace, and nothing else; a trusted subgraph
//! gets the host's credential too. The subgraph is told how large a response is taken in, and for how long it is waited
//! for. What is no GraphQL response by its first byte, such as a page of HTML with status 200, is none.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use http_body_util::Full;
use tokio::time::Instant;
use url::Url;

use crate::graph::RouteError;
use crate::host::{Credential, Host, Telemetry};
use crate::request::RequestContext;
use crate::subgraph::HeaderRules;
use crate::subgraph::config::FetchConfig;
use crate::subgraph::error::FetchError;
use crate::subgraph::fetch::{FetchRequest, Subgraph};
use crate::subgraph::headers::ResponseHeaders;
use crate::subgraph::listener::Listener;
use crate::subgraph::live::{Asked, Live, Protocol, Sockets, Sse};
use crate::subgraph::pool::{Pool, certificates};

/// Tells the subgraph how many objects of its response are taken in.
const OBJECTS_MAX: HeaderName = HeaderName::from_static("x-response-objects-max");
/// Tells the subgraph for how many more milliseconds its response is waited for.
const TIMEOUT: HeaderName = HeaderName::from_static("x-request-timeout-ms");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Calls a subgraph by HTTP.
pub(super) struct Http {
    uri: Uri,
    client: Arc<Pool>,
    live: Live,
    max_response_bytes: usize,
    headers: HeaderRules,
    telemetry: Arc<dyn Telemetry>,
    credential: Option<Arc<dyn Credential>>,
}

impl Http {
    /// A client of one subgraph.
    ///
    /// # Errors
    /// [`RouteError`] for an address that no request can be sent to, and for an `https` one on a machine without
    /// certificates.
    pub(super) fn new(
        name: &str,
        url: &Url,
        subscriptions: &Url,
        config: &FetchConfig,
        headers: &HeaderRules,
        host: &Host,
    ) -> Result<Self, RouteError> {
        let credential = host.credential.clone().filter(|_| headers.is_trusted);
        let address = uri(url)?;
        let client = Arc::new(Pool::new(&address, config)?);
        let protocol = protocol(url, subscriptions, &client, config, credential.clone())?;
        Ok(Self {
            uri: address,
            client,
            live: Live::new(name, protocol, config.clone(), host.telemetry.clone()),
            max_response_bytes: config.max_response_bytes,
            headers: headers.clone(),
            telemetry: host.telemetry.clone(),
            credential,
        })
    }

    /// What an upstream is opened with: the headers alone that rules give, for these do not change while it is open.
    fn asked(&self, fetch: &FetchRequest, ctx: &RequestContext) -> Asked {
        let mut given = HeaderMap::new();
        self.headers.apply(ctx, &mut given);
        let headers = given.iter();
        let headers =
            headers.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
        let mut headers: Vec<_> = headers.collect();
        headers.sort();
        Asked {
            body: body(fetch),
            headers,
        }
    }

    fn request(
        &self,
        fetch: &FetchRequest,
        ctx: &RequestContext,
    ) -> Result<Request<Full<Bytes>>, http::Error> {
        let mut request = Request::new(Full::new(body(fetch)));
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

fn body(fetch: &FetchRequest) -> Bytes {
    [&fetch.prefix[..], &fetch.variables, b"}"].concat().into()
}

fn uri(url: &Url) -> Result<Uri, RouteError> {
    let unfit = |_| RouteError::Url {
        url: url.host_str().unwrap_or_default().to_owned(),
    };
    url.as_str().parse().map_err(unfit)
}

/// The protocol of an address for subscriptions: WebSocket for `ws` and `wss`, and SSE for the others.
fn protocol(
    url: &Url,
    subscriptions: &Url,
    client: &Arc<Pool>,
    config: &FetchConfig,
    credential: Option<Arc<dyn Credential>>,
) -> Result<Arc<dyn Protocol>, RouteError> {
    let bytes_max = config.max_response_bytes;
    let tls = match subscriptions.scheme() {
        "ws" => None,
        "wss" => Some(Arc::new(certificates()?)),
        scheme => {
            let address = uri(subscriptions)?;
            let client = if scheme == url.scheme() {
                client.clone()
            } else {
                Arc::new(Pool::new(&address, config)?)
            };
            return Ok(Arc::new(Sse {
                uri: address,
                client,
                bytes_max,
                credential,
            }));
        }
    };
    Ok(Arc::new(Sockets::new(
        subscriptions.clone(),
        tls,
        config.connect_timeout,
        bytes_max,
        credential,
    )))
}

impl Subgraph for Http {
    fn listen<'a>(
        &'a self,
        request: FetchRequest,
        ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Listener, FetchError>> {
        Box::pin(self.live.listen(self.asked(&request, ctx)))
    }

    fn fetch<'a>(
        &'a self,
        request: FetchRequest,
        ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Bytes, FetchError>> {
        Box::pin(async move {
            let request = self
                .request(&request, ctx)
                .map_err(|error| FetchError::Response(error.to_string()))?;
            let (head, bytes) = self.client.fetch(request, self.max_response_bytes).await?;
            if let Some(kept) = ctx.data.get::<ResponseHeaders>() {
                kept.keep(&self.headers.respond, &head.headers);
            }
            // A refused operation is a GraphQL response with an error status; a page of a gateway, or of nobody knows whom,
            // is none, whatever its status.
            match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
                Some(b'{') => {}
                _ if !head.status.is_success() => {
                    return Err(FetchError::Status(head.status.as_u16()));
                }
                None => return Err(FetchError::Empty),
                Some(_) => return Err(FetchError::Response("no JSON object".to_owned())),
            }
            Ok(bytes)
        })
    }
}
