//! Who is believed. Source: docs/security.md.

use std::net::SocketAddr;

use chassis::{
    clock::Clock,
    grpc::Tokens,
    principal::{ServiceSigner, ServiceVerifier},
    tasks::Tasks,
};
use loms::Config;
use tonic::{Code, Request};

use super::server::{BOTH, Server, create, start_with, wire::Number};

/// Beyond loopback a caller proves who it is. Fails with every caller taken for one of the compatibility profile.
#[tokio::test(flavor = "multi_thread")]
async fn beyond_loopback_nobody_is_believed_without_a_token() {
    let database = testkit::database(migrations::Database::Loms).await;
    loms::seed(&database.db).await.unwrap();
    let open = Config {
        grpc_listen: SocketAddr::from(([0, 0, 0, 0], 0)),
        ..Config::default()
    };
    let (issuer, folder) = (testkit::TestTokens::default(), tempfile::tempdir().unwrap());
    let clock = Clock::system();
    let cart = ServiceSigner::announce("cart", folder.path(), clock.clone()).unwrap();
    let tokens = Tokens {
        services: ServiceVerifier::new(folder.path(), clock),
        ..issuer.of_grpc()
    };
    let tasks = Tasks::new();
    let service = start_with(&database, open, tokens, &tasks).await.unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], service.grpc_address().port()));
    let loms = Server {
        address,
        subgraph: service.subgraph(),
        tasks,
        _database: database,
    };

    for method in BOTH.concat() {
        let refused = loms.call::<_, Number>(method, create(7, &[(1_076_963, 1)]));
        let refused = refused.await.unwrap_err();
        assert_eq!(
            refused.code(),
            Code::Unauthenticated,
            "{method}: {refused:?}"
        );
    }
    let (name, value) = cart.header();
    let with = |name: &'static str, value: &str, user| {
        let mut request = Request::new(create(user, &[(1_076_963, 1)]));
        request.metadata_mut().insert(name, value.parse().unwrap());
        request
    };
    let by_cart = with("x-service-token", value.to_str().unwrap(), 7);
    assert_eq!(name, "x-service-token");
    let order = loms
        .send::<_, Number>(BOTH[0][0], by_cart)
        .await
        .unwrap()
        .into_inner();

    // More than half of the 300 units: too much for a customer, and nothing to a client of the older marketplace.
    let many = |is_customer| {
        let mut request = Request::new(create(9, &[(2_618_151, 151)]));
        let metadata = request.metadata_mut();
        metadata.insert("x-service-token", value.to_str().unwrap().parse().unwrap());
        if is_customer {
            metadata.insert("x-customer", "true".parse().unwrap());
        }
        request
    };
    let refused = loms.send::<_, Number>(BOTH[0][0], many(true)).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let name = refused.metadata().get("x-refusal").unwrap();
    assert_eq!(name, "LIMIT_EXCEEDED");
    let why = refused.message();
    assert!(why.contains("150 units of sku 2618151"), "{why}");
    assert!(why.contains("loms.share_percent"), "{why}");
    assert!(
        loms.send::<_, Number>(BOTH[0][0], many(false))
            .await
            .is_ok()
    );

    let bearer = format!("Bearer {}", issuer.customer(8).expose());
    let for_another = with("authorization", &bearer, 7);
    let refused = loms.send::<_, Number>(BOTH[0][0], for_another).await;
    assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    let mut of_another = Request::new(order);
    (of_another.metadata_mut()).insert("authorization", bearer.parse().unwrap());
    for method in [BOTH[0][1], BOTH[0][2], BOTH[0][3]] {
        let mut request = Request::new(*of_another.get_ref());
        *request.metadata_mut() = of_another.metadata().clone();
        let refused = loms.send::<_, Number>(method, request).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound, "{method}");
    }
}
