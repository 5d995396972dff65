//! The user with a gRPC client, under both names of the service. Source: docs/contracts.md §3.

use schema::proto::alias::loms_client::LomsClient as AliasClient;
use schema::proto::loms::loms_client::LomsClient;
use schema::proto::loms::{
    Item, OrderCancelRequest, OrderCreateRequest, OrderInfoRequest, OrderPayRequest,
    StocksInfoRequest,
};
use tonic::Code;

use crate::shop::{Shop, new_user};

const SKU: i64 = 139_275_865;

fn order_of(user: i64, count: u32) -> OrderCreateRequest {
    let item = Item {
        sku: SKU,
        count,
        unit_price: None,
    };
    OrderCreateRequest {
        user_id: user,
        items: vec![item],
    }
}

#[tokio::test]
async fn an_order_is_created_read_and_paid_under_the_packaged_name() {
    let shop = Shop::shared().await;
    let mut loms = LomsClient::connect(shop.url(8083)).await.unwrap();
    let user = new_user();
    let order_id = loms
        .order_create(order_of(user, 2))
        .await
        .unwrap()
        .into_inner()
        .order_id;
    let info = loms
        .order_info(OrderInfoRequest { order_id })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (info.status.as_str(), info.user_id),
        ("awaiting payment", user)
    );
    assert_eq!((info.items[0].sku, info.items[0].count), (SKU, 2));
    loms.order_pay(OrderPayRequest { order_id }).await.unwrap();
    loms.order_pay(OrderPayRequest { order_id }).await.unwrap();
    let refused = loms
        .order_cancel(OrderCancelRequest { order_id })
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn the_name_without_a_package_reaches_the_same_orders() {
    let shop = Shop::shared().await;
    let mut loms = LomsClient::connect(shop.url(8083)).await.unwrap();
    let mut alias = AliasClient::connect(shop.url(8083)).await.unwrap();
    let order_id = alias
        .order_create(order_of(new_user(), 1))
        .await
        .unwrap()
        .into_inner()
        .order_id;
    alias
        .order_cancel(OrderCancelRequest { order_id })
        .await
        .unwrap();
    let info = loms
        .order_info(OrderInfoRequest { order_id })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(info.status, "cancelled");
    assert!(
        alias
            .stocks_info(StocksInfoRequest { sku: SKU })
            .await
            .unwrap()
            .into_inner()
            .count
            > 0
    );
}

#[tokio::test]
async fn bad_input_and_absent_orders_have_their_codes() {
    let shop = Shop::shared().await;
    let mut loms = LomsClient::connect(shop.url(8083)).await.unwrap();
    let code = |answer: Result<_, tonic::Status>| answer.map(|_: ()| ()).unwrap_err().code();
    let create = |request| {
        let mut loms = loms.clone();
        async move { loms.order_create(request).await.map(drop) }
    };
    assert_eq!(code(create(order_of(0, 1)).await), Code::InvalidArgument);
    assert_eq!(code(create(order_of(1, 0)).await), Code::InvalidArgument);
    assert_eq!(
        code(create(order_of(1, 4_000_000)).await),
        Code::FailedPrecondition
    );
    let absent = OrderInfoRequest { order_id: i64::MAX };
    assert_eq!(
        code(loms.order_info(absent).await.map(drop)),
        Code::NotFound
    );
}
