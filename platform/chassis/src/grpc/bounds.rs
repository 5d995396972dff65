//! A place among a bounded number of calls, and a deadline, for every call of a service.
//!
//! Not tonic's `timeout` and `load_shed`: they answer CANCELLED where the contract says DEADLINE_EXCEEDED, and count the
//! calls of each connection apart.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use schema::code::ErrorCode;
use tokio::sync::Semaphore;
use tonic::{body::Body, server::NamedService};
use tower::Service;

use crate::fault::{self, Coded};

/// Why a call did not run to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Cut {
    /// Its deadline passed.
    #[error("the call's time is over")]
    Late,
    /// All places were taken.
    #[error("too many calls at once")]
    Busy,
}

impl Coded for Cut {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Late => ErrorCode::DeadlineExceeded,
            Self::Busy => ErrorCode::Overloaded,
        }
    }
}

/// The bounds of a server's calls. Clones share the places.
#[derive(Debug, Clone)]
pub struct Bounds {
    places: Arc<Semaphore>,
    timeout: Duration,
}

impl Bounds {
    /// At most `calls` at once, each for at most `timeout`.
    #[must_use]
    pub fn new(calls: usize, timeout: Duration) -> Self {
        Self {
            places: Arc::new(Semaphore::new(calls.min(Semaphore::MAX_PERMITS))),
            timeout,
        }
    }

    /// Puts the bounds around one of the server's services.
    pub fn around<S>(&self, service: S) -> Bounded<S> {
        Bounded {
            service,
            bounds: self.clone(),
        }
    }
}

/// A service whose calls run within [`Bounds`] and their own `grpc-timeout`.
///
/// # Cancel safety
/// A call that is cut off or dropped may have committed; its idempotency key tells.
#[derive(Debug, Clone)]
pub struct Bounded<S> {
    service: S,
    bounds: Bounds,
}

impl<S: NamedService> NamedService for Bounded<S> {
    const NAME: &'static str = S::NAME;
}

impl<S, B> Service<Request<B>> for Bounded<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Ok(place) = Arc::clone(&self.bounds.places).try_acquire_owned() else {
            return Box::pin(async { Ok(fault::status(Cut::Busy).into_http()) });
        };
        let own = timeout(request.headers()).unwrap_or(self.bounds.timeout);
        let call = self.service.call(request);
        let call = tokio::time::timeout(own.min(self.bounds.timeout), call);
        Box::pin(async move {
            let _place = place;
            call.await
                .unwrap_or_else(|_| Ok(fault::status(Cut::Late).into_http()))
        })
    }
}

/// Reads `grpc-timeout`: at most 8 digits and a unit. One that breaks that form is ignored, as gRPC servers do.
fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(value.saturating_mul(3_600))),
        "M" => Some(Duration::from_secs(value.saturating_mul(60))),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tonic::{Code, Status};
    use tower::service_fn;

    use super::*;

    fn request(timeout: &str) -> Request<()> {
        let request = Request::builder().header("grpc-timeout", timeout);
        request.body(()).unwrap()
    }

    fn code(response: &Response<Body>) -> Code {
        Status::from_header_map(response.headers()).map_or(Code::Ok, |status| status.code())
    }

    /// Answers at once, or never when the path says so.
    async fn answer(request: Request<()>) -> Result<Response<Body>, Infallible> {
        if request.uri().path() == "/endless" {
            std::future::pending::<()>().await;
        }
        Ok(Response::new(Body::empty()))
    }

    fn endless(timeout: &str) -> Request<()> {
        let mut request = request(timeout);
        *request.uri_mut() = "/endless".parse().unwrap();
        request
    }

    #[test]
    fn a_timeout_is_up_to_eight_digits_and_a_unit() {
        let read = |text| timeout(request(text).headers());
        assert_eq!(read("250m"), Some(Duration::from_millis(250)));
        assert_eq!(
            read("99999999H"),
            Some(Duration::from_secs(359_999_996_400))
        );
        for bad in ["", "m", "1", "1x", "123456789S", "-1S"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[tokio::test]
    async fn a_call_ends_at_its_own_deadline_and_gives_its_place_back() {
        let bounds = Bounds::new(1, Duration::from_secs(60));
        let mut service = bounds.around(service_fn(answer));
        let late = service.call(endless("1m")).await.unwrap();
        assert_eq!(code(&late), Code::DeadlineExceeded);
        let next = service.call(request("1S")).await.unwrap();
        assert_eq!(code(&next), Code::Ok);
    }

    #[tokio::test]
    async fn a_call_beyond_the_bound_is_refused_at_once() {
        let bounds = Bounds::new(1, Duration::from_secs(60));
        let mut service = bounds.around(service_fn(answer));
        let first = service.call(endless("60S"));
        let second = service.call(request("60S")).await.unwrap();
        assert_eq!(code(&second), Code::ResourceExhausted);
        drop(first);
        let third = service.call(request("60S")).await.unwrap();
        assert_eq!(code(&third), Code::Ok);
    }
}
