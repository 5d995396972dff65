//! Who spends too much: docs/overload.md, "Budgets".

use axum::http::{Method, StatusCode};
use chassis::budget;

use super::*;

#[tokio::test]
async fn an_address_that_has_spent_its_budget_is_told_when_to_come_again_and_the_graph_is_not_asked()
 {
    let rate_limit = budget::Config {
        budget: 3,
        ..budget::Config::default()
    };
    let options = Config {
        rate_limit,
        ..Config::default()
    };
    let shop = Surfaces::with(options, healthy);
    let order = "{\"orderId\":\"1\"}";
    for _ in 0..3 {
        let refused = send(&shop.cart, Method::POST, "/user/0/cart/1", "{}").await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    }
    let spent = [
        send(&shop.cart, Method::GET, "/user/1/cart", "").await,
        send(&shop.loms, Method::POST, "/order/pay", order).await,
        send(&shop.comments, Method::GET, "/openapi.json", "").await,
    ];
    for answer in spent {
        assert_eq!(
            answer.status,
            StatusCode::TOO_MANY_REQUESTS,
            "{}",
            answer.text
        );
        let seconds: u64 = answer.headers["retry-after"]
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        assert!((1..=60).contains(&seconds), "{seconds}");
        assert!(
            answer.text.contains("router.rest.rate_limit.budget"),
            "{}",
            answer.text
        );
    }
    assert_eq!(shop.only_call(), None);
    let metrics = send(&shop.cart, Method::GET, "/metrics", "").await;
    assert_eq!(metrics.status, StatusCode::OK);
}
