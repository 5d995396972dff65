//! A collector of traces: takes OTLP over gRPC as the real one does, and keeps what it got for a test to look at.

use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{KeyValue, any_value::Value},
    trace::v1::ResourceSpans,
};
use tokio::net::TcpListener;
use tonic::{Request, Response, Status, transport::server::TcpIncoming};

/// A span that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// `service.name` of its process.
    pub service: String,
    /// Its name.
    pub name: String,
    /// Its trace, as hexadecimal digits.
    pub trace_id: String,
    /// Its own id.
    pub id: String,
    /// Its parent's id; empty for a root.
    pub parent_id: String,
    /// The traces that it refers to besides its own.
    pub links: Vec<String>,
    /// When it began, in nanoseconds since 1970.
    pub began: u64,
    /// How long it took.
    pub took: Duration,
}

/// A collector that listens on a port of its own until it is dropped.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    spans: Spans,
    server: tokio::task::JoinHandle<()>,
}

#[derive(Debug, Clone, Default)]
struct Spans(Arc<Mutex<Vec<Span>>>);

impl Collector {
    /// Listens on loopback.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let spans = Spans::default();
        let service = TraceServiceServer::new(spans.clone());
        let serving = tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming(TcpIncoming::from(listener));
        #[expect(
            clippy::disallowed_methods,
            reason = "a test's own task, ended when the collector is dropped"
        )]
        let server = tokio::spawn(async move {
            serving.await.expect("the collector serves");
        });
        Self {
            address,
            spans,
            server,
        }
    }

    /// What `telemetry.otlp_endpoint` is set to.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The spans of one trace so far, in no order.
    #[must_use]
    pub fn trace(&self, trace_id: &str) -> Vec<Span> {
        let spans = self.spans.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = spans.iter().filter(|span| span.trace_id == trace_id);
        own.cloned().collect()
    }

    /// The names of all spans so far, each once.
    #[must_use]
    pub fn names(&self) -> BTreeSet<String> {
        let spans = self.spans.0.lock().unwrap_or_else(PoisonError::into_inner);
        spans.iter().map(|span| span.name.clone()).collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Who called whom: pairs of a parent's and its child's name.
#[must_use]
pub fn edges(spans: &[Span]) -> BTreeSet<(String, String)> {
    let by_id: HashMap<&str, &Span> = spans.iter().map(|span| (span.id.as_str(), span)).collect();
    let parents = spans.iter().filter_map(|span| {
        let parent = by_id.get(span.parent_id.as_str())?;
        Some((parent.name.clone(), span.name.clone()))
    });
    parents.collect()
}

/// A trace as a person reads it: a span a line, below its parent, with its process and the time it took.
#[must_use]
pub fn tree(spans: &[Span]) -> String {
    let mut sorted: Vec<&Span> = spans.iter().collect();
    sorted.sort_unstable_by_key(|span| span.began);
    let ids: BTreeSet<&str> = spans.iter().map(|span| span.id.as_str()).collect();
    let roots = sorted
        .iter()
        .filter(|span| !ids.contains(span.parent_id.as_str()));
    let mut text = String::new();
    for root in roots {
        branch(&sorted, root, 0, &mut text);
    }
    text
}

fn branch(sorted: &[&Span], span: &Span, depth: usize, text: &mut String) {
    let name = format!("{:indent$}{}", "", span.name, indent = 2 * depth);
    let millis = span.took.as_secs_f64() * 1_000.0;
    text.push_str(&format!(
        "{name:<46} {:<16} {millis:>7.1} ms\n",
        span.service
    ));
    for child in sorted.iter().filter(|child| child.parent_id == span.id) {
        branch(sorted, child, depth + 1, text);
    }
}

#[tonic::async_trait]
impl TraceService for Spans {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let arrived = request.into_inner().resource_spans;
        let mut spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        spans.extend(arrived.into_iter().flat_map(of_one_process));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn of_one_process(group: ResourceSpans) -> Vec<Span> {
    let resource = group.resource.unwrap_or_default();
    let service = text(&resource.attributes, "service.name");
    let spans = group.scope_spans.into_iter().flat_map(|scope| scope.spans);
    spans
        .map(|span| Span {
            service: service.clone(),
            name: span.name,
            trace_id: hex(&span.trace_id),
            id: hex(&span.span_id),
            parent_id: hex(&span.parent_span_id),
            links: span.links.iter().map(|link| hex(&link.trace_id)).collect(),
            began: span.start_time_unix_nano,
            took: Duration::from_nanos(
                span.end_time_unix_nano
                    .saturating_sub(span.start_time_unix_nano),
            ),
        })
        .collect()
}

fn text(attributes: &[KeyValue], key: &str) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|attribute| attribute.value.clone()?.value) {
        Some(Value::StringValue(text)) => text,
        _ => String::new(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
