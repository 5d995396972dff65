//! What a call is given and what it gives. Source: docs/contracts.md §3.

use tonic::Code;

use super::server::{
    BOTH, Server, create,
    wire::{Info, Number},
};
use crate::shop::SKU;

#[tokio::test(flavor = "multi_thread")]
async fn both_names_of_the_service_speak_the_contract() {
    let server = Server::start().await;
    let mut free = 265;
    for [order_create, info, pay, cancel, stock] in BOTH {
        let wanted = create(31_337, &[(2_956_315, 1), (SKU, 2)]);
        let made: Number = server.call(order_create, wanted).await.unwrap();
        let id = Number { value: made.value };
        let read: Info = server.call(info, id).await.unwrap();
        assert_eq!(
            (read.status.as_str(), read.user),
            ("awaiting payment", 31_337)
        );
        let items: Vec<_> = read
            .items
            .iter()
            .map(|item| (item.sku, item.count))
            .collect();
        assert_eq!(items, [(SKU, 2), (2_956_315, 1)], "ascending by SKU");
        free -= 2;
        let left: Number = server.call(stock, Number { value: SKU }).await.unwrap();
        assert_eq!(left.value, free);
        for _ in 0..2 {
            server.call::<_, ()>(pay, id).await.unwrap();
        }
        let refused = server.call::<_, ()>(cancel, id).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        let read: Info = server.call(info, id).await.unwrap();
        assert_eq!(read.status, "paid");
    }
}

/// Source: docs/contracts.md §3, error tables.
#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_are_refused_in_the_contracts_words() {
    let server = Server::start().await;
    let [order_create, info, pay, cancel, stock] = BOTH[0];
    for (request, message) in [
        (
            create(0, &[(1, 1)]),
            "invalid OrderCreateRequest.UserId: value must be greater than 0",
        ),
        (
            create(1, &[]),
            "invalid OrderCreateRequest.Items: value must contain at least 1 item(s)",
        ),
        (
            create(1, &[(1, 1), (-1, 1)]),
            "invalid OrderCreateRequest.Items[1]: embedded message failed validation | caused by: invalid Item.Sku: value must be greater than 0",
        ),
        (
            create(1, &[(1, 0)]),
            "invalid OrderCreateRequest.Items[0]: embedded message failed validation | caused by: invalid Item.Count: value must be greater than 0",
        ),
    ] {
        let refused = server
            .call::<_, Number>(order_create, request)
            .await
            .unwrap_err();
        assert_eq!(
            (refused.code(), refused.message()),
            (Code::InvalidArgument, message)
        );
    }
    for (method, name) in [
        (info, "OrderInfoRequest.OrderId"),
        (pay, "OrderPayRequest.OrderId"),
        (cancel, "OrderCancelRequest.OrderId"),
        (stock, "StocksInfoRequest.Sku"),
    ] {
        let refused = server
            .call::<_, ()>(method, Number { value: 0 })
            .await
            .unwrap_err();
        let message = format!("invalid {name}: value must be greater than 0");
        assert_eq!(
            (refused.code(), refused.message()),
            (Code::InvalidArgument, message.as_str())
        );
        let absent = Number {
            value: 9_223_372_036_854_775_001,
        };
        let refused = server.call::<_, ()>(method, absent).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound, "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_order_is_kept_as_failed_and_its_caller_is_told() {
    let server = Server::start().await;
    let [order_create, info, pay, cancel, stock] = BOTH[0];
    let wanted = create(1, &[(SKU, 1), (139_819_069, 1)]);
    let refused = server
        .call::<_, Number>(order_create, wanted)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let read: Info = server.call(info, Number { value: 1 }).await.unwrap();
    assert_eq!(read.status, "failed");
    let left: Number = server.call(stock, Number { value: SKU }).await.unwrap();
    assert_eq!(left.value, 265);
    for method in [pay, cancel] {
        let refused = server
            .call::<_, ()>(method, Number { value: 1 })
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
    }
    let huge = create(1, &[(SKU, u32::MAX)]);
    let refused = server
        .call::<_, Number>(order_create, huge)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_over_reserved_sku_has_nothing_free() {
    let server = Server::start().await;
    let left: Number = server
        .call(BOTH[0][4], Number { value: 139_818_428 })
        .await
        .unwrap();
    assert_eq!(left.value, 0);
}

/// Cart names the prices; older clients do not, and their orders have no total.
#[tokio::test(flavor = "multi_thread")]
async fn prices_in_the_items_become_the_orders_total() {
    use async_graphql::{Request, Variables};
    use schema::proto::loms as proto;
    let server = Server::start().await;
    let item = |sku, count, unit_price| proto::Item {
        sku,
        count,
        unit_price,
    };
    for (items, total) in [
        (
            vec![item(SKU, 2, Some(3_379)), item(2_956_315, 1, Some(10))],
            Some("6768"),
        ),
        (
            vec![item(SKU, 2, Some(3_379)), item(2_956_315, 1, None)],
            None,
        ),
    ] {
        let request = proto::OrderCreateRequest { user_id: 1, items };
        let made: Number = server.call(BOTH[0][0], request).await.unwrap();
        let query = "query($id: ID!) { order(id: $id) { total { amount } lines { unitPrice { amount } } } }";
        let variables = Variables::from_json(serde_json::json!({ "id": made.value.to_string() }));
        let request = Request::new(query)
            .variables(variables)
            .data(server.buyer(1));
        let answer = serde_json::to_value(server.subgraph.execute(request).await).unwrap();
        assert_eq!(
            answer["data"]["order"]["total"]["amount"].as_str(),
            total,
            "{answer}"
        );
        assert_eq!(
            answer["data"]["order"]["lines"][0]["unitPrice"]["amount"],
            "3379"
        );
    }
    let huge = proto::OrderCreateRequest {
        user_id: 1,
        items: vec![item(SKU, 1, Some(-1))],
    };
    let refused = server
        .call::<_, Number>(BOTH[0][0], huge)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

/// Two fields of the list's numbers.
#[derive(Clone, PartialEq, prost::Message)]
struct Skus {
    #[prost(int64, repeated, tag = "1")]
    skus: Vec<i64>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Stocks {
    #[prost(message, repeated, tag = "1")]
    stocks: Vec<super::server::wire::Item>,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_stock_has_what_is_kept_and_is_bounded() {
    let server = Server::start().await;
    for name in ["/loms.Loms/StocksList", "/Loms/StocksList"] {
        let skus = vec![139_818_428, SKU, 139_819_069, 5_097_510, i64::MAX, SKU];
        let answer: Stocks = server.call(name, Skus { skus }).await.unwrap();
        let found: Vec<_> = answer
            .stocks
            .iter()
            .map(|row| (row.sku, row.count))
            .collect();
        assert_eq!(found, [(SKU, 265), (139_818_428, 0), (139_819_069, 0)]);
    }
    let refusal = async |skus: Vec<i64>| {
        let refused = server
            .call::<_, Stocks>("/loms.Loms/StocksList", Skus { skus })
            .await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        refused.message().to_owned()
    };
    for (skus, count) in [(vec![], 0), (vec![SKU; 5_001], 5_001)] {
        let message = format!(
            "invalid StocksListRequest.Skus: value must contain 1 to 5000 item(s), and has {count}"
        );
        assert_eq!(refusal(skus).await, message);
    }
    let message = "invalid StocksListRequest.Skus[1]: value must be greater than 0";
    assert_eq!(refusal(vec![SKU, 0]).await, message);
    let most: Stocks = server
        .call(
            "/loms.Loms/StocksList",
            Skus {
                skus: vec![SKU; 5_000],
            },
        )
        .await
        .unwrap();
    assert_eq!(most.stocks.len(), 1);
}
