//! The idempotency key in the metadata.

use tonic::{Code, Request, metadata::MetadataMap};

use super::server::{BOTH, Server, create, wire::Number};
use crate::shop::SKU;

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_the_metadata_makes_one_order() {
    let server = Server::start().await;
    let request = |count| {
        let mut request = Request::new(create(1, &[(SKU, count)]));
        request
            .metadata_mut()
            .insert("idempotency-key", "k".parse().unwrap());
        request
    };
    let first = server
        .send::<_, Number>(BOTH[0][0], request(1))
        .await
        .unwrap();
    assert!(first.metadata().get("idempotency-replayed").is_none());
    let second = server
        .send::<_, Number>(BOTH[1][0], request(1))
        .await
        .unwrap();
    assert_eq!(
        second.metadata().get("idempotency-replayed").unwrap(),
        "true"
    );
    assert_eq!(first.into_inner(), second.into_inner());
    let other = server
        .send::<_, Number>(BOTH[0][0], request(2))
        .await
        .unwrap_err();
    assert_eq!(other.code(), Code::AlreadyExists);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_breaks_the_rule_is_an_invalid_argument_of_every_change() {
    let server = Server::start().await;
    let [order_create, _, pay, cancel, _] = BOTH[0];
    for key in ["", &"x".repeat(256)] {
        let with_key = |request: &mut MetadataMap| {
            request.insert("idempotency-key", key.parse().unwrap());
        };
        let mut create = Request::new(create(1, &[(SKU, 1)]));
        with_key(create.metadata_mut());
        let created = server.send::<_, Number>(order_create, create).await;
        let mut refusals = vec![created.unwrap_err()];
        for method in [pay, cancel] {
            let mut change = Request::new(Number { value: 1 });
            with_key(change.metadata_mut());
            refusals.push(server.send::<_, ()>(method, change).await.unwrap_err());
        }
        for refused in refusals {
            assert_eq!(
                (refused.code(), refused.message()),
                (
                    Code::InvalidArgument,
                    "invalid metadata idempotency-key: an idempotency key must have 1 to 255 characters and no NUL"
                )
            );
        }
    }
    let left: Number = server
        .call(BOTH[0][4], Number { value: SKU })
        .await
        .unwrap();
    assert_eq!(left.value, 265);
}
