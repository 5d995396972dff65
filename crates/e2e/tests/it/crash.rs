//! The user who keeps buying while a process dies under the order service.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use schema::proto::loms::StocksInfoRequest;
use schema::proto::loms::loms_client::LomsClient;
use serde_json::{Value, json};

use crate::shop::{Arrangement, Shop, new_user};
use crate::subscription::Subscription;

const BUYERS: usize = 10;
const SKU: i64 = 139_275_865;
const CHECKOUT: &str = "mutation($key: String!) {
    checkout(input: {idempotencyKey: $key}) { order { id } userErrors { code } }
}";

/// Ten checkouts while the order service is killed and started again: each makes exactly one order, reserves its unit
/// once and emits its two events. A client repeats an unanswered checkout with the same key, as the contract says.
#[tokio::test]
async fn ten_checkouts_over_a_killed_order_service_make_ten_orders() {
    let shop = Shop::start(Arrangement::Processes).await;
    let operator = shop.token(1, true).await;
    let before = free_stock(&shop).await;
    let end = shop
        .graphql(&operator, "{ orderEventsCursor }", json!({}))
        .await;

    let mut tokens = Vec::new();
    for _ in 0..BUYERS {
        let token = shop.token(new_user(), false).await;
        let add = "mutation($sku: ID!) { addToCart(input: {sku: $sku, count: 1}) { userErrors { code } } }";
        shop.graphql(&token, add, json!({"sku": SKU.to_string()}))
            .await;
        tokens.push(token);
    }
    let buyers = tokens.iter().enumerate().map(|(number, token)| {
        // A third have bought before the kill, the others meet it or come after it.
        let start = Duration::from_millis(60) * u32::try_from(number).unwrap();
        buy_until_answered(&shop, token, start)
    });
    let kill = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        shop.kill_service("loms").await;
    };
    let (orders, ()) = tokio::join!(futures::future::join_all(buyers), kill);

    let mut distinct = orders.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(
        distinct.len(),
        BUYERS,
        "an order was given to two buyers: {orders:?}"
    );
    for (token, order) in tokens.iter().zip(&orders) {
        let mine = "{ me { cart { itemCount } orders { totalCount nodes { id status } } } }";
        let data = shop.graphql(token, mine, json!({})).await;
        assert_eq!(data["me"]["orders"]["totalCount"], 1, "{data}");
        let expected = json!({"id": order, "status": "AWAITING_PAYMENT"});
        assert_eq!(data["me"]["orders"]["nodes"][0], expected);
        assert_eq!(data["me"]["cart"]["itemCount"], 0);
    }
    assert_eq!(
        before - free_stock(&shop).await,
        BUYERS as u64,
        "each unit is reserved once"
    );
    let events = versions_by_order(&shop, &operator, &end["orderEventsCursor"], 2 * BUYERS).await;
    let expected: BTreeMap<_, _> = orders
        .into_iter()
        .map(|order| (order, vec![1, 2]))
        .collect();
    assert_eq!(events, expected);
    shop.stop().await;
}

/// Repeats the checkout with one key until it is answered without a fault; the order's id.
async fn buy_until_answered(shop: &Shop, token: &str, start: Duration) -> String {
    tokio::time::sleep(start).await;
    let key = format!("checkout-{}", new_user());
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = shop.try_graphql(token, CHECKOUT, json!({"key": key})).await;
        let found = answer
            .as_ref()
            .and_then(|answer| answer["data"]["checkout"]["order"]["id"].as_str());
        if let Some(id) = found {
            return id.to_owned();
        }
        assert!(Instant::now() < deadline, "never answered: {answer:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn free_stock(shop: &Shop) -> u64 {
    let mut loms = LomsClient::connect(shop.url(8083)).await.unwrap();
    let answer = loms
        .stocks_info(StocksInfoRequest { sku: SKU })
        .await
        .unwrap();
    answer.into_inner().count.into()
}

/// The versions that the stream has for each order, in the order of their frames.
async fn versions_by_order(
    shop: &Shop,
    token: &str,
    after: &Value,
    count: usize,
) -> BTreeMap<String, Vec<i64>> {
    let all = "subscription($after: Cursor) { allOrderEvents(after: $after) { orderId version } }";
    let mut stream = Subscription::open(shop, token, all, json!({"after": after})).await;
    let mut found: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for _ in 0..count {
        let event = stream.next().await.data["allOrderEvents"].clone();
        let order = event["orderId"].as_str().unwrap().to_owned();
        found
            .entry(order)
            .or_default()
            .push(event["version"].as_i64().unwrap());
    }
    found
}
