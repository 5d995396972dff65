//! The span and the figures of a gRPC call, as a layer around every service of a server.
//!
//! Labels are bounded: a path that no compiled service has is `other`.

use std::{
    collections::BTreeSet,
    sync::LazyLock,
    task::{Context, Poll},
    time::Instant,
};

use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use prometheus::{IntCounterVec, register_int_counter_vec};
use prost::Message as _;
use prost_types::FileDescriptorSet;
use schema::proto::FILE_DESCRIPTOR_SET;
use tonic::Code;
use tower::{Layer, Service};
use tracing::{Instrument as _, field::Empty};

use crate::telemetry::{
    Latency, REQUEST_SECONDS,
    http::{TRACEPARENT, traceparent},
    trace,
};

static REQUESTS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "marketplace_grpc_requests_total",
        "gRPC calls by method and status code",
        &["method", "code"]
    )
    .expect("the name is registered once")
});

static SECONDS: LazyLock<Latency> = LazyLock::new(|| {
    Latency::register(
        "marketplace_grpc_request_seconds",
        "Time of a gRPC call until its first answer, by method",
        &["method"],
        REQUEST_SECONDS,
    )
});

/// The methods of our own services, as `package.Service/Method`.
static METHODS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let files = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap_or_default();
    let mut methods = BTreeSet::new();
    for file in &files.file {
        for service in &file.service {
            let package = match file.package() {
                "" => String::new(),
                package => format!("{package}."),
            };
            let names = service
                .method
                .iter()
                .map(|method| format!("{package}{}/{}", service.name(), method.name()));
            methods.extend(names);
        }
    }
    methods
});

/// Shows the series of the services of a server before their first call.
pub(super) fn announce(services: &[&str]) {
    for method in &*METHODS {
        let service = method.split('/').next().unwrap_or_default();
        if services.contains(&service) {
            REQUESTS.with_label_values(&[method, "OK"]).inc_by(0);
            SECONDS.announce(&[method]);
        }
    }
}

/// Puts [`Observed`] around a service.
#[derive(Debug, Clone, Copy)]
pub struct Observe;

impl<S> Layer<S> for Observe {
    type Service = Observed<S>;

    fn layer(&self, inner: S) -> Observed<S> {
        Observed(inner)
    }
}

/// Counts, times and traces each call of a service.
#[derive(Debug, Clone)]
pub struct Observed<S>(S);

impl<S, B, R> Service<Request<B>> for Observed<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<R>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let started = Instant::now();
        let path = request.uri().path().trim_start_matches('/');
        let method = METHODS.get(path).map_or("other", String::as_str);
        let span = tracing::info_span!(
            "grpc",
            otel.name = method,
            otel.kind = "server",
            rpc.system = "grpc",
            rpc.grpc.status_code = Empty,
            trace_id = Empty,
        );
        let (span, header) = trace::begin(span, traceparent(request.headers()));
        if let Ok(value) = header.try_into() {
            request.headers_mut().insert(TRACEPARENT, value);
        }
        let answering = self.0.call(request).instrument(span.clone());
        Box::pin(async move {
            let answer = answering.await;
            let code = answer
                .as_ref()
                .map_or(Code::Unknown, |it| code(it.headers()));
            span.record("rpc.grpc.status_code", i32::from(code));
            let name = format!("{code:?}");
            REQUESTS.with_label_values(&[method, &name]).inc();
            SECONDS.observe_in(&span, &[method], started.elapsed().as_secs_f64());
            answer
        })
    }
}

/// A call that fails before its first message says so in the head; one that has a message is `Ok` so far.
fn code(head: &HeaderMap) -> Code {
    head.get("grpc-status")
        .map_or(Code::Ok, |status| Code::from_bytes(status.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_those_of_the_compiled_services() {
        assert!(METHODS.contains("loms.Loms/OrderCreate"), "{METHODS:?}");
        assert!(METHODS.contains("Loms/OrderCreate"), "{METHODS:?}");
        assert!(!METHODS.contains("loms.Loms/Nope"));
    }

    #[test]
    fn a_refusal_is_counted_by_its_code() {
        let mut head = HeaderMap::new();
        assert_eq!(code(&head), Code::Ok);
        head.insert("grpc-status", http::HeaderValue::from_static("9"));
        assert_eq!(code(&head), Code::FailedPrecondition);
    }
}
