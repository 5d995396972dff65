//! The server around the calls: health, reflection, bounds, its start and its end.

use std::time::Duration;

use chassis::tasks::Tasks;
use loms::Config;
use tonic::Code;

use super::server::{
    BOTH, Server, create, start,
    wire::{Info, Number},
};
use crate::shop::SKU;

#[tokio::test(flavor = "multi_thread")]
async fn health_and_reflection_answer() {
    use tonic_health::pb::{
        HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
    };
    let server = Server::start().await;
    let channel = server.channel().await;
    for service in ["", "loms.Loms", "Loms"] {
        let mut client = HealthClient::new(channel.clone());
        testkit::eventually("health is serving", Duration::from_secs(10), async || {
            let request = HealthCheckRequest {
                service: service.to_owned(),
            };
            let answer = client.check(request).await.ok()?;
            (answer.into_inner().status() == ServingStatus::Serving).then_some(())
        })
        .await;
    }
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = ServerReflectionClient::new(channel);
    let mut answers = client
        .server_reflection_info(futures::stream::iter([request]))
        .await
        .unwrap()
        .into_inner();
    let answer = answers
        .message()
        .await
        .unwrap()
        .unwrap()
        .message_response
        .unwrap();
    let MessageResponse::ListServicesResponse(list) = answer else {
        panic!("{answer:?}")
    };
    let names: Vec<_> = list
        .service
        .iter()
        .map(|service| service.name.as_str())
        .collect();
    assert!(
        names.contains(&"loms.Loms") && names.contains(&"Loms"),
        "{names:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_over_the_bound_is_refused() {
    let server = Server::start().await;
    let huge = create(1, &vec![(i64::MAX, 1); 100_000]);
    let refused = server
        .call::<_, Number>(BOTH[0][0], huge)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
    let most = Config::default().grpc_message_bytes.to_string();
    assert!(refused.message().contains(&most), "{refused:?}");
}

/// Fails with the library's own status, `INTERNAL` with the decoder's text.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_another_is_the_clients_error() {
    let server = Server::start().await;
    let other = Info {
        status: "text where a number stands".to_owned(),
        ..Info::default()
    };
    for name in BOTH[0] {
        let refused = server.call::<_, Number>(name, other.clone()).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{name}: {refused:?}");
        assert!(!refused.message().contains("wire type"), "{refused:?}");
    }
}

/// Source: grpc/grpc, doc/health-checking.md.
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_of_an_unknown_service_says_so_and_stays_open() {
    use tonic_health::pb::{
        HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
    };
    let server = Server::start().await;
    let mut client = HealthClient::new(server.channel().await);
    let request = HealthCheckRequest {
        service: "loms.Nope".to_owned(),
    };
    let refused = client.check(request.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    let mut watch = client.watch(request).await.unwrap().into_inner();
    let first = watch.message().await.unwrap().expect("a status");
    assert_eq!(first.status(), ServingStatus::ServiceUnknown);
    let more = tokio::time::timeout(Duration::from_millis(300), watch.message()).await;
    assert!(more.is_err(), "{more:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_named_with_its_setting() {
    let server = Server::start().await;
    let database = testkit::database(migrations::Database::Loms).await;
    let taken = Config {
        grpc_listen: server.address,
        ..Config::default()
    };
    let refused = start(&database, taken, &Tasks::new()).await.unwrap_err();
    assert!(
        refused.to_string().contains("loms.grpc_listen"),
        "{refused}"
    );
}

/// Everything ends at the signal, the sweeper and the relay too.
#[tokio::test(flavor = "multi_thread")]
async fn the_service_stops_within_its_time() {
    let server = Server::start().await;
    let made: Number = server
        .call(BOTH[0][0], create(1, &[(SKU, 1)]))
        .await
        .unwrap();
    assert_eq!(made.value, 1);
    let left = server.tasks.shutdown(Duration::from_secs(10)).await;
    assert_eq!(left, Vec::<&str>::new());
}
