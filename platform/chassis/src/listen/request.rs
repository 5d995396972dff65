//! What the listener does to every request: its host, its place among those in flight, its body's deadline.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    BoxError,
    body::{Body, Bytes},
    extract::ConnectInfo,
};
use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use serde_json::json;
use tokio::time::{Instant, Sleep, sleep_until};
use tower::Service;

use super::{
    connection::{Connection, InFlight, Receiving},
    host::Hosts,
};

/// A body did not arrive in time.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the body took too long to arrive")]
pub struct BodyTimeout;

impl BodyTimeout {
    /// Whether this is why a body could not be read.
    #[must_use]
    pub fn is_cause_of(error: &(dyn std::error::Error + 'static)) -> bool {
        let mut causes = std::iter::successors(Some(error), |error| error.source());
        causes.any(|cause| cause.is::<Self>())
    }
}

/// What one listener does to its requests.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    /// Nothing where browsers cannot ask: gRPC.
    pub(super) hosts: Option<Hosts>,
    pub(super) body_timeout: Duration,
    /// The error of a body that took too long.
    pub(super) late: fn() -> BoxError,
}

/// A connection's requests, on their way to `service`.
#[derive(Debug, Clone)]
pub(super) struct Requests<S> {
    pub(super) service: S,
    pub(super) connection: Arc<Connection>,
    pub(super) rules: Arc<Rules>,
}

impl<S> hyper::service::Service<Request<Incoming>> for Requests<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let in_flight = self.connection.begin();
        let (mut head, body) = request.into_parts();
        if let Some(hosts) = &self.rules.hosts
            && let Err(refused) = hosts.check(&head)
        {
            let response = problem(refused.status(), &refused.to_string());
            return Box::pin(async move { Ok(holding(response, in_flight)) });
        }
        head.extensions.insert(ConnectInfo(self.connection.peer));
        let is_late = Arc::new(AtomicBool::new(false));
        let body = self.arriving(body, &is_late);
        let mut service = self.service.clone();
        Box::pin(async move {
            std::future::poll_fn(|cx| service.poll_ready(cx)).await?;
            let mut response = service.call(Request::from_parts(head, body)).await?;
            if is_late.load(Relaxed) && response.status().is_client_error() {
                *response.status_mut() = StatusCode::REQUEST_TIMEOUT;
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            Ok(holding(response, in_flight))
        })
    }
}

impl<S> Requests<S> {
    fn arriving(&self, body: Incoming, is_late: &Arc<AtomicBool>) -> Body {
        if body.is_end_stream() {
            return Body::empty();
        }
        Body::new(Arriving {
            body,
            due: Instant::now() + self.rules.body_timeout,
            sleep: None,
            receiving: Some(self.connection.receive()),
            is_late: Arc::clone(is_late),
            late: self.rules.late,
        })
    }
}

/// A refusal of the listener itself, which does not know the API behind it. Source: RFC 9457.
pub(super) fn problem(status: StatusCode, detail: &str) -> Response<Body> {
    let title = status.canonical_reason().unwrap_or_default();
    let body = json!({
        "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail,
    });
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// The response, with which the request stays in flight until its body has been sent.
fn holding(response: Response<Body>, in_flight: InFlight) -> Response<Body> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        // What speaks another protocol from now on has bounds of its own.
        in_flight.stay();
        return response;
    }
    response.map(|body| {
        Body::new(Held {
            body,
            _in_flight: in_flight,
        })
    })
}

/// The body of a request, which has until `due` to arrive.
struct Arriving {
    body: Incoming,
    due: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
    receiving: Option<Receiving>,
    is_late: Arc<AtomicBool>,
    late: fn() -> BoxError,
}

impl hyper::body::Body for Arriving {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Ready(frame) => {
                if !matches!(frame, Some(Ok(_))) || this.body.is_end_stream() {
                    this.receiving = None;
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending => {
                let due = this.due;
                let sleep = this.sleep.get_or_insert_with(|| Box::pin(sleep_until(due)));
                if sleep.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                this.is_late.store(true, Relaxed);
                Poll::Ready(Some(Err((this.late)())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of a response, during which its request is in flight.
struct Held {
    body: Body,
    _in_flight: InFlight,
}

impl hyper::body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
