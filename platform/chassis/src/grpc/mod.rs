//! What every gRPC server shares: bounds of its calls, reflection, health, and a graceful stop.
//!
//! Invariant: a call has a place among a bounded number of calls and a deadline. Start reading at [`serve`].

mod authenticate;
mod bounds;
mod health;
mod observe;
mod toll;
mod undecodable;

use axum::BoxError;
use http::Response;
use schema::{code::ErrorCode, proto::FILE_DESCRIPTOR_SET};
use tokio::net::TcpListener;
use tonic::{Status, body::Body, metadata::MetadataMap, service::Routes};
use tower::{Layer as _, util::MapResponse};

use crate::{fault::Coded, listen, tasks::Tasks};

/// The reflection service cannot read the descriptors.
pub use tonic_reflection::server::Error as ReflectionError;

pub use self::{
    authenticate::{Authenticated, Authentication, Caller, Tokens, is_compatible},
    bounds::{Bounded, Bounds},
    health::Reporter,
    observe::{Observe, Observed},
    toll::Toll,
};

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

/// A server to add services to; [`serve`] bounds its connections.
#[must_use]
pub fn server() -> Routes {
    Routes::default()
}

/// Serves `routes` with reflection and health until the tasks' token; calls in flight end first.
///
/// # Errors
/// [`ReflectionError`] when the compiled descriptors cannot be read.
pub fn serve(
    name: &'static str,
    services: &'static [&'static str],
    routes: Routes,
    listener: TcpListener,
    tasks: &Tasks,
) -> Result<Reporter, ReflectionError> {
    let (reporter, health) = health::service(services, tasks.token());
    let routes = routes
        .add_service(health)
        .add_service(reflection(services).build_v1()?)
        .add_service(reflection(services).build_v1alpha()?)
        .prepare();
    observe::announce(services);
    let service = Observe.layer(MapResponse::new(routes, undecodable::correct::<Body>));
    let service = MapResponse::new(service, |response: Response<Body>| {
        response.map(axum::body::Body::new)
    });
    listen::Server::new(name, listener, tasks)
        .grpc(too_late)
        .serve_service(service, tasks);
    Ok(reporter)
}

/// A message that is only half there when its time is over.
fn too_late() -> BoxError {
    Status::deadline_exceeded("the message took too long to arrive").into()
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
/// service's own error, which becomes a status here. A method whose answers are a stream stands behind `streams`, with the
/// trait's name of the stream and its type.
#[macro_export]
macro_rules! serve_under_names {
    ($server:ty as $first:ident, $second:ident: $calls:tt $(streams $streams:tt)?) => {
        $crate::serve_under_names!(@name $server, $first, $calls $(, $streams)?);
        $crate::serve_under_names!(@name $server, $second, $calls $(, $streams)?);
    };
    (@name $server:ty, $name:ident, { $($method:ident($request:ty) -> $response:ty = $call:ident;)* }
        $(, { $($open:ident($opening:ty) -> $stream:ident: $answers:ty = $opened:ident;)* })?) => {
        #[tonic::async_trait]
        impl $name for $server {
            $(async fn $method(
                &self,
                request: tonic::Request<$request>,
            ) -> Result<tonic::Response<$response>, tonic::Status> {
                self.$call(request).await.map_err(Into::into)
            })*
            $($(
                type $stream = $answers;

                async fn $open(
                    &self,
                    request: tonic::Request<$opening>,
                ) -> Result<tonic::Response<$answers>, tonic::Status> {
                    self.$opened(request).await.map_err(Into::into)
                }
            )*)?
        }
    };
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::{Body as AxumBody, Bytes};
    use futures::{StreamExt as _, stream};
    use http::Request;
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use tonic::Code;

    use super::*;

    /// Calls health's `Check` with a body of these bytes that does not end, within short bounds.
    async fn check(bytes: &'static [u8]) -> Response<hyper::body::Incoming> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let tasks = Tasks::new();
        let config = listen::Config {
            body_timeout: Duration::from_millis(200),
            ..listen::Config::default()
        };
        let (_reporter, health) = health::service(&[], tasks.token());
        let routes = Routes::default().add_service(health).prepare();
        let service = MapResponse::new(routes, |response: Response<Body>| {
            undecodable::correct(response).map(AxumBody::new)
        });
        listen::Server::new("test", listener, &tasks)
            .with_config(config)
            .grpc(too_late)
            .serve_service(service, &tasks);

        let socket = tokio::net::TcpStream::connect(address).await.unwrap();
        let handshake = hyper::client::conn::http2::handshake;
        let connecting = handshake(TokioExecutor::new(), TokioIo::new(socket)).await;
        let (mut client, connection) = connecting.unwrap();
        tasks.spawn("client", async move {
            let _is_done = connection.await.is_ok();
        });
        let first = stream::once(async move { Ok::<_, std::io::Error>(Bytes::from_static(bytes)) });
        let body = AxumBody::from_stream(first.chain(stream::pending()));
        let request = Request::post(format!("http://{address}/grpc.health.v1.Health/Check"))
            .header("content-type", "application/grpc")
            .body(body);
        let answering = client.send_request(request.unwrap());
        let answer = tokio::time::timeout(Duration::from_secs(20), answering).await;
        answer.expect("answered in time").unwrap()
    }

    /// Seen red with a body that may take for ever.
    #[tokio::test]
    async fn half_a_message_ends_in_time_without_a_timeout_of_the_clients() {
        let answer = check(&[0, 0, 0, 0, 9, 1]).await;
        let status = Status::from_header_map(answer.headers()).unwrap();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    }

    #[tokio::test]
    async fn bytes_that_are_no_message_are_the_clients_error() {
        let answer = check(&[0, 0, 0, 0, 2, 0xff, 0xff]).await;
        let status = Status::from_header_map(answer.headers()).unwrap();
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    }
}
