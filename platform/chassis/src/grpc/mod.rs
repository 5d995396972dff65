//! What every gRPC server shares: bounds of its calls, reflection, health, and a graceful stop.
//!
//! Invariant: a call has a place among a bounded number of calls and a deadline. Start reading at [`serve`].

mod bounds;
mod observe;

use std::time::Duration;

use schema::{code::ErrorCode, proto::FILE_DESCRIPTOR_SET};
use tokio::net::TcpListener;
use tonic::{
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

pub use self::{
    bounds::{Bounded, Bounds},
    observe::{Observe, Observed},
};

/// Streams that one connection may have open; more wait at the client.
const STREAMS: u32 = 256;
/// How often a silent connection is asked whether its client is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// What is around every service of a server.
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

/// The W3C trace context of a call's own span, which the server wrote over the client's.
#[must_use]
pub fn traceparent(metadata: &MetadataMap) -> Option<&str> {
    metadata.get("traceparent")?.to_str().ok()
}

/// A server to add services to, with the bounds of its connections.
#[must_use]
pub fn server() -> Server<Layers> {
    Server::builder()
        .layer(Observe)
        .max_concurrent_streams(STREAMS)
        .http2_keepalive_interval(Some(KEEPALIVE))
}

/// Tells gRPC's health service how a server is.
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

/// Implements each of the generated traits, which differ in name alone, by the server's own methods. These give the
/// service's own error, which becomes a status here.
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
                self.$call(request).await.map_err(Into::into)
            })*
        }
    };
}
