//! A place among a bounded number of calls, and a deadline, for every call of a service. A call that finds no place waits for
//! one, as [`crate::admission`] has it; a refusal says in its metadata when to come again.
//!
//! Not tonic's `timeout` and `load_shed`: they answer CANCELLED where the contract says DEADLINE_EXCEEDED, and count the
//! calls of each connection apart.

use std::{
    convert::Infallible,
    task::{Context, Poll},
    time::Duration,
};

use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use schema::code::ErrorCode;
use tokio::time::Instant;
use tonic::{body::Body, server::NamedService};
use tower::Service;

use crate::{
    admission::{Config, Door, Limiter, Priority},
    deadline::{self, Lost},
    fault::{self, Coded},
    tasks::Tasks,
};

/// The least places of a server: what a service's own queue makes of many calls at once is for it to say.
const PLACES_MIN: usize = 64;

/// Why a call has no answer of its service's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Unanswered {
    #[error("the call's time is over")]
    Late,
    #[error("the call panicked")]
    Panicked,
}

impl Coded for Unanswered {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Late => ErrorCode::DeadlineExceeded,
            Self::Panicked => ErrorCode::Internal,
        }
    }
}

impl From<Lost> for Unanswered {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::CallerLeft => Self::Late,
            Lost::Panicked => Self::Panicked,
        }
    }
}

/// The bounds of a server's calls. Clones share the places.
#[derive(Debug, Clone)]
pub struct Bounds {
    door: Door,
    timeout: Duration,
    tasks: Tasks,
}

impl Bounds {
    /// At most `calls` at once, each for at most `timeout`; `name` is the door's in metrics. Changes run in `tasks`.
    #[must_use]
    pub fn new(name: &'static str, calls: usize, timeout: Duration, tasks: &Tasks) -> Self {
        let config = Config {
            places_min: PLACES_MIN.min(calls),
            places_max: calls,
            ..Config::default()
        };
        Self {
            door: Limiter::new(name, config).door(name),
            timeout,
            tasks: tasks.clone(),
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
/// A call that is cut off or dropped ends there, unless it is [decided](deadline::decide): then it runs to its end in a task
/// of its own. It may have committed; its idempotency key tells.
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
    S: Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let own = timeout(request.headers()).unwrap_or(self.bounds.timeout);
        let leaves_at = Instant::now() + own.min(self.bounds.timeout);
        let class = class(request.uri().path());
        let Bounds { door, tasks, .. } = self.bounds.clone();
        // The service was polled ready, so this very one takes the call.
        let service = self.service.clone();
        let mut service = std::mem::replace(&mut self.service, service);
        Box::pin(async move {
            let permit = match door.admit(class, Some(leaves_at)).await {
                Ok(permit) => permit,
                // Who has left by now is late, however little room there is.
                Err(_) if Instant::now() >= leaves_at => {
                    return Ok(fault::status(Unanswered::Late).into_http());
                }
                Err(refused) => return Ok(fault::status(refused).into_http()),
            };
            let call = permit.hold(service.call(request));
            let answer = if class == Priority::Read {
                let call = deadline::until(Some(leaves_at), call);
                let answer = tokio::time::timeout_at(leaves_at, call).await;
                answer.map_err(|_| Unanswered::Late)
            } else {
                let answer = deadline::detached(&tasks, "grpc change", leaves_at, call).await;
                answer.map_err(Unanswered::from)
            };
            answer.unwrap_or_else(|lost| Ok(fault::status(lost).into_http()))
        })
    }
}

/// How urgent a call is, by its method: an order that is created is a checkout.
pub(super) fn class(path: &str) -> Priority {
    match path.rsplit('/').next().unwrap_or_default() {
        "OrderCreate" | "OrderPay" => Priority::Payment,
        "OrderCancel" | "CommentAdd" | "CommentEdit" => Priority::Mutation,
        _ => Priority::Read,
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
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    };

    use tokio::time::sleep;
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
        let bounds = Bounds::new("test", 1, Duration::from_secs(60), &Tasks::new());
        let mut service = bounds.around(service_fn(answer));
        let late = service.call(endless("1m")).await.unwrap();
        assert_eq!(code(&late), Code::DeadlineExceeded);
        let next = service.call(request("1S")).await.unwrap();
        assert_eq!(code(&next), Code::Ok);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_beyond_the_bound_waits_for_a_place() {
        let bounds = Bounds::new("test", 1, Duration::from_secs(60), &Tasks::new());
        let service = bounds.around(service_fn(answer));
        let mut first = service.clone().call(endless("60S"));
        assert!(futures::poll!(&mut first).is_pending());
        // The first waits for something, and gives its place to the second after a while.
        let second = service.clone().call(request("60S"));
        let second = tokio::select! {
            second = second => second.unwrap(),
            _ = first => unreachable!("it has a minute"),
        };
        assert_eq!(code(&second), Code::Ok);
    }

    /// Work of two seconds that is decided from the beginning.
    async fn decided(ended: Arc<AtomicBool>) -> Result<Response<Body>, Infallible> {
        deadline::decide();
        sleep(Duration::from_secs(2)).await;
        ended.store(true, Relaxed);
        Ok(Response::new(Body::empty()))
    }

    /// Seen red with every call in its connection's own task: the change never came to its end.
    #[tokio::test(start_paused = true)]
    async fn a_change_that_is_decided_outlives_its_call_and_a_read_does_not() {
        let tasks = Tasks::new();
        let bounds = Bounds::new("test", 8, Duration::from_secs(60), &tasks);
        for (path, ends) in [
            ("/loms.Loms/OrderPay", true),
            ("/loms.Loms/OrderInfo", false),
        ] {
            let ended = Arc::new(AtomicBool::new(false));
            let working = Arc::clone(&ended);
            let decided = move |_: Request<()>| decided(Arc::clone(&working));
            let mut service = bounds.around(service_fn(decided));
            let mut request = request("1S");
            *request.uri_mut() = path.parse().unwrap();
            let late = service.call(request).await.unwrap();
            assert_eq!(code(&late), Code::DeadlineExceeded, "{path}");
            sleep(Duration::from_secs(5)).await;
            assert_eq!(ended.load(Relaxed), ends, "{path}");
            assert!(tasks.names().is_empty());
        }
    }

    #[test]
    fn a_call_is_as_urgent_as_its_method() {
        assert_eq!(class("/loms.Loms/OrderPay"), Priority::Payment);
        assert_eq!(class("/Loms/OrderCancel"), Priority::Mutation);
        assert_eq!(class("/loms.Loms/StocksInfo"), Priority::Read);
        assert_eq!(class(""), Priority::Read);
    }
}
