//! Anything at all is sent; nothing may be answered by a 5xx, and nothing may panic.

use axum::http::Method;
use proptest::prelude::*;
use serde_json::json;

use super::*;

const POSTS: &[&str] = &[
    "/order/create",
    "/order/pay",
    "/order/cancel",
    "/comment/add",
    "/comment/get-by-id",
    "/comment/edit",
    "/comment/list-by-sku",
    "/comment/list-by-user",
];

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// A JSON value that is often nearly right.
fn value() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        Just(json!(0)),
        Just(json!(1)),
        Just(json!(-1)),
        Just(json!(i64::MAX)),
        Just(json!(i64::MIN)),
        Just(json!(u64::MAX)),
        Just(json!(1.5)),
        Just(json!(1e300)),
        any::<i64>().prop_map(Value::from),
    ];
    let leaf = prop_oneof![
        number.clone(),
        number.prop_map(|number| json!(number.to_string())),
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        ".{0,300}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 5, |inner| {
        let name = prop::sample::select(vec![
            "userId",
            "user_id",
            "user",
            "orderId",
            "orderID",
            "items",
            "sku",
            "count",
            "id",
            "comment",
            "comment_id",
            "new_comment",
            "commentId",
            "x",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..8).prop_map(|members| members
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v))
                .collect()),
        ]
    })
}

fn gateway_answers(body: &[u8]) -> Result<(), TestCaseError> {
    let shop = Surfaces::new(healthy);
    for path in POSTS {
        let router = if path.starts_with("/order") {
            &shop.loms
        } else {
            &shop.comments
        };
        let answer = run(send(router, Method::POST, path, body.to_vec()));
        prop_assert!(
            answer.status.as_u16() < 500,
            "{path}: {} {}",
            answer.status,
            answer.text
        );
    }
    for path in ["/user/1/cart/1", "/cart/checkout"] {
        let answer = run(send(&shop.cart, Method::POST, path, body.to_vec()));
        prop_assert!(
            answer.status.as_u16() < 500,
            "{path}: {} {}",
            answer.status,
            answer.text
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_json_body_is_answered_by_a_5xx(body in value()) {
        gateway_answers(body.to_string().as_bytes())?;
    }

    #[test]
    fn no_bytes_at_all_are_answered_by_a_5xx(body in prop::collection::vec(any::<u8>(), 0..300)) {
        gateway_answers(&body)?;
    }

    #[test]
    fn no_path_or_query_is_answered_by_a_5xx(id in "[-+0-9a-zA-Z%.=&_~]{0,24}") {
        let shop = Surfaces::new(healthy);
        for path in [format!("/user/{id}/cart"), format!("/user/1/cart/{id}")] {
            let answer = run(send(&shop.cart, Method::DELETE, &path, ""));
            prop_assert!(answer.status.as_u16() < 500, "{path}: {}", answer.status);
        }
        for path in [format!("/order/info?orderId={id}"), format!("/stock/info?{id}")] {
            let answer = run(send(&shop.loms, Method::GET, &path, ""));
            prop_assert!(answer.status.as_u16() < 500, "{path}: {}", answer.status);
        }
    }
}
