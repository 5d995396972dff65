//! What the listener does to every request: its host, its place among those in flight, its body's deadline.

use std::{
    convert::Infallible,
    future::poll_fn,
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
use futures::{FutureExt as _, future::BoxFuture};
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use parking_lot::Mutex;
use serde_json::json;
use tokio::time::{Instant, Sleep, sleep_until};
use tower::Service;

use super::{
    connection::{Connection, InFlight, Receiving},
    host::Hosts,
    lasting::Lasting,
};

/// What is read of a body that nobody wanted, so that its connection can be kept.
const UNREAD_BYTES_MAX: usize = 64 * 1024;

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

/// What answers requests: routes, or what stands before them.
pub trait Handler:
    Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + 'static
{
}

impl<S> Handler for S where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static
{
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

impl<S: Handler> hyper::service::Service<Request<Incoming>> for Requests<S> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let in_flight = self.connection.begin();
        let (mut head, body) = request.into_parts();
        if let Some(hosts) = &self.rules.hosts
            && let Err(refused) = hosts.check(&head)
        {
            let mut response = problem(refused.status(), &refused.to_string());
            if !self.connection.is_http2() && !body.is_end_stream() {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            return Box::pin(async move { Ok(holding(response, in_flight)) });
        }
        head.extensions.insert(ConnectInfo(self.connection.peer));
        let upload = Arc::new(Upload::default());
        let body = self.arriving(body, &upload);
        let is_http1 = !self.connection.is_http2();
        // Its chunks are no part of older versions.
        let may_last = head.version == Version::HTTP_11;
        let connection = Arc::clone(&self.connection);
        let mut service = self.service.clone();
        Box::pin(async move {
            poll_fn(|cx| service.poll_ready(cx)).await?;
            let mut response = service.call(Request::from_parts(head, body)).await?;
            let is_late = upload.is_late.load(Relaxed) && response.status().is_client_error();
            if is_late {
                *response.status_mut() = StatusCode::REQUEST_TIMEOUT;
            }
            let is_lasting = response.extensions().get::<Lasting>().is_some();
            // A body behind which another protocol was to be spoken is taken for its first words, and refused as such.
            let is_switching = response.status() == StatusCode::SWITCHING_PROTOCOLS;
            if is_lasting && may_last && (upload.has_arrived() || is_switching) {
                connection.hand_over.leave(holding(response, in_flight));
                // The connection's task takes it from here, and ends the library with this request.
                return std::future::pending().await;
            }
            // Behind a body that was not read no other request can be; unless it is told so, a client sends one.
            if is_late || is_http1 && !upload.has_arrived() {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            Ok(holding(response, in_flight))
        })
    }
}

impl<S> Requests<S> {
    fn arriving(&self, body: Incoming, upload: &Arc<Upload>) -> Body {
        if body.is_end_stream() {
            return Body::empty();
        }
        upload.is_unread.store(true, Relaxed);
        Body::new(Arriving {
            body: Some(body),
            due: Instant::now() + self.rules.body_timeout,
            sleep: None,
            receiving: Some(self.connection.receive()),
            upload: Arc::clone(upload),
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

/// What is known of the body of a request when its response is.
#[derive(Debug, Default)]
struct Upload {
    is_late: AtomicBool,
    is_unread: AtomicBool,
    /// What the service let go of before its end.
    rest: Mutex<Option<Incoming>>,
}

impl Upload {
    /// Whether all of it has been read, or can be without waiting, as a small body that the service did not want.
    fn has_arrived(&self) -> bool {
        if !self.is_unread.load(Relaxed) {
            return true;
        }
        let Some(mut body) = self.rest.lock().take() else {
            return false;
        };
        let mut bytes = 0;
        let mut next = || poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).now_or_never();
        while let Some(frame) = next() {
            match frame {
                None => return true,
                Some(Err(_)) => return false,
                Some(Ok(frame)) => bytes += frame.data_ref().map_or(0, Bytes::len),
            }
            if bytes > UNREAD_BYTES_MAX {
                return false;
            }
        }
        false
    }
}

/// The body of a request, which has until `due` to arrive.
struct Arriving {
    /// Nothing only once it is dropped.
    body: Option<Incoming>,
    due: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
    receiving: Option<Receiving>,
    upload: Arc<Upload>,
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
        let Some(body) = &mut this.body else {
            return Poll::Ready(None);
        };
        match Pin::new(&mut *body).poll_frame(cx) {
            Poll::Ready(frame) => {
                let has_ended = frame.is_none() || body.is_end_stream();
                if has_ended {
                    this.upload.is_unread.store(false, Relaxed);
                }
                if has_ended || matches!(frame, Some(Err(_))) {
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
                this.upload.is_late.store(true, Relaxed);
                Poll::Ready(Some(Err((this.late)())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map(Incoming::size_hint)
            .unwrap_or_default()
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        *self.upload.rest.lock() = self.body.take();
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
