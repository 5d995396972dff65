//! The cart's client of the order service: when it gives up at once, when it asks again, and how long it waits.

use std::time::Duration;

use ::schema::code::ErrorCode;
use cart::{
    cart::domain::PricedLine,
    loms::{Error, Loms, Terms},
};
use chassis::{deadline, fault::Coded as _};
use testkit::eventually;
use tokio::time::Instant;
use uuid::Uuid;

use crate::{fake_loms::FakeLoms, sku, units, user};

const SKU: i64 = 7;
const LIMIT: Duration = Duration::from_secs(20);

async fn order(loms: &Loms, checkout: Uuid) -> Result<Option<i64>, Error> {
    let lines = [PricedLine {
        sku: sku(SKU),
        count: units(1),
        unit_price: 5,
    }];
    let made = loms.create_order(user(1), &lines, checkout, None, Terms::Customer);
    Ok(made.await?.ok().map(|order| order.get()))
}

#[tokio::test]
async fn a_service_that_is_down_is_not_asked_again_until_it_is_back() {
    let loms = FakeLoms::start([(SKU, 10)]).await;
    let client = loms.client();
    assert_eq!(client.free_stock(sku(SKU)).await.unwrap(), Some(10));
    let address = loms.stop().await;
    for _ in 0..3 {
        let away = client.free_stock(sku(SKU)).await.unwrap_err();
        assert!(matches!(away, Error::Unreachable(_)), "{away:?}");
    }
    let known = client.free_stock(sku(SKU)).await.unwrap_err();
    assert!(matches!(known, Error::KnownToBeDown(_)), "{known:?}");
    assert_eq!(known.code(), ErrorCode::Unavailable);
    let _back = FakeLoms::start_on(address, [(SKU, 10)]).await;
    eventually("it is asked again", LIMIT, async || {
        client.free_stock(sku(SKU)).await.ok()
    })
    .await;
}

/// A server that stops says GOAWAY and takes no more calls on the connection: the next ones are made on a new one.
#[tokio::test]
async fn a_restart_of_the_service_fails_no_call() {
    let mut loms = FakeLoms::start([(SKU, 1_000)]).await;
    let client = loms.client();
    for round in 1..=3 {
        assert!(order(&client, Uuid::new_v4()).await.unwrap().is_some());
        let restarting = async {
            let address = loms.stop().await;
            FakeLoms::start_on(address, [(SKU, 1_000)]).await
        };
        let ordering = async {
            for _ in 0..20 {
                let made = order(&client, Uuid::new_v4()).await;
                assert!(matches!(made, Ok(Some(_))), "{round}: {made:?}");
            }
        };
        (loms, ()) = tokio::join!(restarting, ordering);
    }
}

#[tokio::test]
async fn a_call_ends_with_its_caller_and_is_not_held_against_the_service() {
    let loms = FakeLoms::start([(SKU, 10)]).await;
    let client = loms.client();
    loms.lose_answers(true);
    for _ in 0..5 {
        let soon = Some(Instant::now() + Duration::from_millis(100));
        let late = deadline::until(soon, order(&client, Uuid::new_v4())).await;
        let late = late.unwrap_err();
        assert_eq!(late.code(), ErrorCode::DeadlineExceeded, "{late:?}");
    }
    loms.lose_answers(false);
    assert!(order(&client, Uuid::new_v4()).await.unwrap().is_some());
}
