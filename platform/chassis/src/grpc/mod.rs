//! What every gRPC face shares: bounds of its calls, reflection, health, a graceful stop, and who may reach it.
//!
//! Invariants: a call has a place among a bounded number of calls and a deadline; a face that believes its clients
//! listens on loopback unless a setting names the exception. Start reading at [`serve`].

mod observe;

use std::{future::Future, net::SocketAddr, time::Duration};

use schema::{code::ErrorCode, proto::FILE_DESCRIPTOR_SET};
use tokio::{net::TcpListener, sync::Semaphore};
use tonic::{
    Status,
    metadata::MetadataMap,
    transport::server::{Router, Server, TcpIncoming},
};
use tonic_health::{ServingStatus, server::HealthReporter};
use tower::layer::util::{Identity, Stack};

use crate::{
    fault::{self, Coded},
    tasks::Tasks,
};

/// The reflection service cannot read the descriptors.
pub use tonic_reflection::server::Error as ReflectionError;

pub use self::observe::{Observe, Observed};

/// Streams that one connection may have open; more wait at the client.
const STREAMS: u32 = 256;
/// How often a silent connection is asked whether its client is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// What is around every service of a face.
pub type Layers = Stack<Observe, Identity>;

/// A request that breaks the contract's rules, in the words that its clients know.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

impl Invalid {
    /// The words for a number that is not above 0; `field` is `Message.Field`.
    #[must_use]
    pub fn not_positive(field: &str) -> Self {
        Self(format!("invalid {field}: value must be greater than 0"))
    }
}

impl Coded for Invalid {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidArgument
    }
}

/// Why a call did not run to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Cut {
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

/// A face that takes the user from the call would be reachable from other machines.
#[derive(Debug, thiserror::Error)]
#[error(
    "{service}.grpc_listen is {listen}, and gRPC believes its clients: listen on loopback, or set \
     `{service}.grpc_compat_beyond_loopback` to true"
)]
pub struct BeyondLoopback {
    service: &'static str,
    listen: SocketAddr,
}

/// Refuses an address beyond loopback unless the service's setting allows it.
///
/// # Errors
/// [`BeyondLoopback`] names that setting.
pub fn check_reach(
    service: &'static str,
    listen: SocketAddr,
    beyond_loopback_allowed: bool,
) -> Result<(), BeyondLoopback> {
    if listen.ip().is_loopback() {
        return Ok(());
    }
    if !beyond_loopback_allowed {
        return Err(BeyondLoopback { service, listen });
    }
    tracing::warn!(
        service, %listen,
        "gRPC believes whoever reaches it: keep the network closed"
    );
    Ok(())
}

/// The bounds of a face's calls.
#[derive(Debug)]
pub struct Bounds {
    places: Semaphore,
    longest: Duration,
}

impl Bounds {
    /// At most `places` calls at once, each for at most `longest`.
    #[must_use]
    pub const fn new(places: usize, longest: Duration) -> Self {
        Self {
            places: Semaphore::const_new(places),
            longest,
        }
    }

    /// Runs a call within the bounds and its own `grpc-timeout`.
    ///
    /// # Errors
    /// The call's own, or [`Cut`] as a status.
    ///
    /// # Cancel safety
    /// A call that is cut off or dropped may have committed; its idempotency key tells.
    pub async fn run<T, E: Into<Status>>(
        &self,
        metadata: &MetadataMap,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Status> {
        let place = self.places.try_acquire();
        let _place = place.map_err(|_| fault::status(Cut::Busy))?;
        let limit = timeout(metadata).map_or(self.longest, |own| own.min(self.longest));
        match tokio::time::timeout(limit, call).await {
            Ok(result) => result.map_err(Into::into),
            Err(_) => Err(fault::status(Cut::Late)),
        }
    }
}

/// The W3C trace context of a call's own span, which the face wrote over the client's.
#[must_use]
pub fn traceparent(metadata: &MetadataMap) -> Option<&str> {
    metadata.get("traceparent")?.to_str().ok()
}

/// Reads `grpc-timeout`: at most 8 digits and a unit. One that breaks that form is ignored, as gRPC servers do.
fn timeout(metadata: &MetadataMap) -> Option<Duration> {
    let text = metadata.get("grpc-timeout")?.to_str().ok()?;
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

/// A server to add services to, with the bounds of its connections.
#[must_use]
pub fn server() -> Server<Layers> {
    Server::builder()
        .layer(Observe)
        .max_concurrent_streams(STREAMS)
        .http2_keepalive_interval(Some(KEEPALIVE))
}

/// Tells gRPC's health service how a face is.
#[derive(Debug, Clone)]
pub struct Reporter {
    health: HealthReporter,
    services: &'static [&'static str],
}

impl Reporter {
    /// Reports for the server as a whole and for each of its services.
    pub async fn set(&self, is_serving: bool) {
        let status = if is_serving {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        for service in [""].iter().chain(self.services) {
            self.health.set_service_status(*service, status).await;
        }
    }
}

/// Serves `routes` with reflection and health until the tasks' token; calls in flight end first.
///
/// # Errors
/// [`ReflectionError`] when the compiled descriptors cannot be read.
pub fn serve(
    name: &'static str,
    services: &'static [&'static str],
    routes: Router<Layers>,
    listener: TcpListener,
    tasks: &Tasks,
) -> Result<Reporter, ReflectionError> {
    let (health, health_service) = tonic_health::server::health_reporter();
    let routes = routes
        .add_service(health_service)
        .add_service(reflection(services).build_v1()?)
        .add_service(reflection(services).build_v1alpha()?);
    let token = tasks.token();
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    observe::announce(services);
    tasks.spawn(name, async move {
        let served = routes
            .serve_with_incoming_shutdown(incoming, token.cancelled_owned())
            .await;
        if let Err(error) = served {
            tracing::error!(server = name, error = %fault::chain(&error), "gRPC has stopped");
        }
    });
    Ok(Reporter { health, services })
}

fn reflection<'a>(services: &[&str]) -> tonic_reflection::server::Builder<'a> {
    let builder = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .with_service_name("grpc.health.v1.Health");
    services.iter().fold(builder, |builder, service| {
        builder.with_service_name(*service)
    })
}

/// Implements each of the generated traits, which differ in name alone, by the server's own methods.
#[macro_export]
macro_rules! serve_under_names {
    ($server:ty as $first:ident, $second:ident: $calls:tt) => {
        $crate::serve_under_names!(@name $server, $first, $calls);
        $crate::serve_under_names!(@name $server, $second, $calls);
    };
    (@name $server:ty, $name:ident, { $($method:ident($request:ty) -> $response:ty = $call:ident;)* }) => {
        #[tonic::async_trait]
        impl $name for $server {
            $(async fn $method(
                &self,
                request: tonic::Request<$request>,
            ) -> Result<tonic::Response<$response>, tonic::Status> {
                self.$call(request).await
            })*
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(timeout: &str) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        metadata.insert("grpc-timeout", timeout.parse().unwrap());
        metadata
    }

    #[test]
    fn a_timeout_is_up_to_eight_digits_and_a_unit() {
        assert_eq!(timeout(&metadata("250m")), Some(Duration::from_millis(250)));
        assert_eq!(
            timeout(&metadata("99999999H")),
            Some(Duration::from_secs(359_999_996_400))
        );
        for bad in ["", "m", "1", "1x", "123456789S", "-1S"] {
            assert_eq!(timeout(&metadata(bad)), None, "{bad:?}");
        }
    }

    #[tokio::test]
    async fn a_call_ends_at_its_own_deadline_and_gives_its_place_back() {
        let bounds = Bounds::new(1, Duration::from_secs(60));
        let endless = std::future::pending::<Result<(), Status>>();
        let late = bounds.run(&metadata("1m"), endless).await;
        assert_eq!(late.unwrap_err().code(), tonic::Code::DeadlineExceeded);
        let second = metadata("1S");
        let next = bounds.run(&second, async { Ok::<_, Status>(()) });
        assert!(next.await.is_ok());
    }

    #[tokio::test]
    async fn a_call_beyond_the_bound_is_refused_at_once() {
        let bounds = Bounds::new(1, Duration::from_secs(60));
        let none = MetadataMap::new();
        let refused = bounds.run(&none, async {
            let second = bounds.run(&none, async { Ok::<_, Status>(()) }).await;
            Ok::<_, Status>(second.unwrap_err().code())
        });
        assert_eq!(refused.await.unwrap(), tonic::Code::ResourceExhausted);
    }

    #[test]
    fn an_address_beyond_loopback_needs_the_setting_that_the_refusal_names() {
        let open = SocketAddr::from(([0, 0, 0, 0], 0));
        let refused = check_reach("shop", open, false).unwrap_err().to_string();
        assert!(
            refused.contains("shop.grpc_compat_beyond_loopback"),
            "{refused}"
        );
        assert!(check_reach("shop", open, true).is_ok());
        assert!(check_reach("shop", SocketAddr::from(([127, 0, 0, 1], 0)), false).is_ok());
    }
}
