//! The user who keeps buying while a process dies under the order service.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use dev_services::process::{Signal, send};
use futures::future::join_all;
use schema::proto::loms::StocksInfoRequest;
use schema::proto::loms::loms_client::LomsClient;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::eventually;
use tokio::sync::Semaphore;

use crate::deaf_proxy::DeafProxy;
use crate::shop::{Arrangement, Shop, free_offset, new_user};
use crate::subscription::Subscription;

const BUYERS: usize = 10;
const SKU: i64 = 139_275_865;
const CHECKOUT: &str = "mutation($key: String!) {
    checkout(input: {idempotencyKey: $key}) { order { id } userErrors { code } }
}";

/// Ten checkouts over one death of the order service: five whose orders are committed and whose answers are lost with
/// the process, five that come while it is away. Each makes exactly one order, reserves its unit once and emits its two
/// events. Seen red with the checkout id taken out of the call to the order service: the first five bought twice.
#[tokio::test]
async fn ten_checkouts_over_a_killed_order_service_make_ten_orders() {
    let (folder, offset) = (
        TempDir::with_prefix("marketplace-e2e-").unwrap().keep(),
        free_offset(),
    );
    let proxy = DeafProxy::start(([127, 0, 0, 1], 8083 + offset).into()).await;
    let set = format!("cart.loms_url=http://127.0.0.1:{}", proxy.port);
    let shop = Shop::start_in(&folder, Arrangement::Processes, offset, &[set]).await;
    let operator = shop.token(1, true).await;
    let before = free_stock(&shop).await;
    let end = shop
        .graphql(&operator, "{ orderEventsCursor }", json!({}))
        .await;
    let mut tokens = Vec::new();
    for _ in 0..BUYERS {
        let token = shop.token(new_user(), false).await;
        let add = "mutation($sku: ID!) { addToCart(input: {sku: $sku, count: 1}) { userErrors { code } } }";
        let data = shop
            .graphql(&token, add, json!({"sku": SKU.to_string()}))
            .await;
        assert_eq!(data["addToCart"]["userErrors"], json!([]));
        tokens.push(token);
    }

    proxy.lose_answers(true);
    let (early, late) = tokens.split_at(BUYERS / 2);
    let killed = Semaphore::new(0);
    let kill = async {
        eventually(
            "the early orders are committed",
            Duration::from_secs(20),
            async || (before - free_stock(&shop).await == early.len() as u64).then_some(()),
        )
        .await;
        let dead = shop.service("loms").unwrap();
        send(dead.pid, Signal::Kill);
        proxy.lose_answers(false);
        killed.add_permits(late.len());
        eventually(
            "the service is started again",
            Duration::from_secs(20),
            async || shop.service("loms").filter(|now| *now != dead),
        )
        .await;
    };
    let early = join_all(early.iter().map(|token| buy_until_answered(&shop, token)));
    let late = join_all(late.iter().map(async |token| {
        killed.acquire().await.unwrap().forget();
        buy_until_answered(&shop, token).await
    }));
    let (early, late, ()) = tokio::join!(early, late, kill);
    let orders = [early, late].concat();

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
    std::fs::remove_dir_all(folder).unwrap();
}

/// Repeats the checkout with one key until it is answered without a fault; the order's id.
async fn buy_until_answered(shop: &Shop, token: &str) -> String {
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
