//! Cart: docs/contracts.md §1.

use axum::http::{Method, Request, StatusCode, header};
use schema::id::UserId;
use serde_json::{Value, json};

use super::{super::CheckoutKey, *};

fn user(id: i64) -> Actor {
    Actor::User(UserId::try_from(id).unwrap())
}

#[tokio::test]
async fn an_add_asks_the_graph_once_for_the_user_in_the_path() {
    let shop = Surfaces::new(healthy);
    let path = "/user/31337/cart/9223372036854775807";
    let answer = send(&shop.cart, Method::POST, path, r#"{"count":6,"x":1}"#).await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, ""));
    let input = json!({"input": {"sku": "9223372036854775807", "count": 6}});
    assert_eq!(
        shop.only_call(),
        Some(("RestAddToCart", user(31337), input))
    );
}

/// Seen red with the count read through `int64`, which takes `"1"` and `1.0`.
#[tokio::test]
async fn a_body_that_is_no_count_is_refused_before_the_graph() {
    let shop = Surfaces::new(healthy);
    let bodies = [
        "",
        " ",
        "{}",
        "null",
        "[]",
        "{",
        r#"{"count":0}"#,
        r#"{"count":-1}"#,
        r#"{"count":"1"}"#,
        r#"{"count":1.0}"#,
        r#"{"count":1e0}"#,
        r#"{"count":null}"#,
        r#"{"count":true}"#,
        r#"{"count":2147483648}"#,
        r#"{"count":99999999999999999999}"#,
        r#"{"count":1}{}"#,
    ];
    for body in bodies {
        let answer = send(&shop.cart, Method::POST, "/user/1/cart/1", body).await;
        assert_eq!(
            answer.status,
            StatusCode::BAD_REQUEST,
            "{body:?}: {}",
            answer.text
        );
    }
    assert_eq!(shop.only_call(), None);
}

#[tokio::test]
async fn a_path_id_that_is_no_positive_int64_is_refused_before_the_graph() {
    let shop = Surfaces::new(healthy);
    let bad = [
        "0",
        "-1",
        "abc",
        "1.5",
        "%20",
        "%FF",
        "-9223372036854775808",
        "9223372036854775808",
        "1e3",
    ];
    for id in bad {
        let calls = [
            (Method::POST, format!("/user/{id}/cart/1")),
            (Method::POST, format!("/user/1/cart/{id}")),
            (Method::DELETE, format!("/user/{id}/cart/1")),
            (Method::DELETE, format!("/user/1/cart/{id}")),
            (Method::DELETE, format!("/user/{id}/cart")),
            (Method::GET, format!("/user/{id}/cart")),
            (Method::POST, format!("/checkout/{id}")),
        ];
        for (method, path) in calls {
            let answer = send(&shop.cart, method.clone(), &path, r#"{"count":1}"#).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{method} {path}");
        }
    }
    assert_eq!(shop.only_call(), None);
}

#[tokio::test]
async fn a_list_has_the_contracts_keys_numbers_and_order() {
    let shop = Surfaces::new(|_| {
        let lines = json!([
            line("10", 1, "4294967295"),
            line("7", 4_294_967_295, "4294967295")
        ]);
        json!({"data": {"me": {"cart": {"lines": lines, "total": {"amount": "18446744069414584320"}}}}})
    });
    let answer = send(&shop.cart, Method::GET, "/user/3/cart", "").await;
    assert_eq!(answer.status, StatusCode::OK);
    let text = r#"{"items":[{"sku":7,"name":"Теория \"1|2\"\n","count":4294967295,"price":4294967295},{"sku":10,"name":"Теория \"1|2\"\n","count":1,"price":4294967295}],"total_price":18446744069414584320}"#;
    assert_eq!(answer.text, text);
    assert_eq!(shop.only_call().unwrap().1, user(3));
}

#[tokio::test]
async fn an_empty_cart_is_not_found() {
    let empty =
        |_: &Call| json!({"data": {"me": {"cart": {"lines": [], "total": {"amount": "0"}}}}});
    let answer = send(&Surfaces::new(empty).cart, Method::GET, "/user/3/cart", "").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_list_that_came_whole_is_served_in_spite_of_a_warning() {
    let stale = |call: &Call| {
        let mut answer = healthy(call);
        answer["errors"] = json!([{"message": "stale", "extensions": {"code": "UNAVAILABLE"}}]);
        answer
    };
    let answer = send(&Surfaces::new(stale).cart, Method::GET, "/user/3/cart", "").await;
    assert_eq!(answer.status, StatusCode::OK);
}

/// Docs/contracts.md §1, row "GET when a product lookup fails": no list with holes.
#[tokio::test]
async fn a_list_with_a_hole_is_a_look_up_that_failed() {
    let list = |errors: Value| {
        move |_: &Call| {
            let product = json!({"sku": "7", "name": null, "price": null});
            let lines = json!([line("6", 1, "5"), {"product": product, "count": 1}]);
            let cart = json!({"lines": lines, "total": null});
            json!({"data": {"me": {"cart": cart}}, "errors": errors})
        }
    };
    for (errors, status) in [
        (json!([]), 502),
        (json!([{"extensions": {"code": "UNAVAILABLE"}}]), 502),
        (json!([{"extensions": {"code": "INTERNAL"}}]), 500),
    ] {
        let shop = Surfaces::new(list(errors.clone()));
        let answer = send(&shop.cart, Method::GET, "/user/3/cart", "").await;
        assert_eq!(answer.status.as_u16(), status, "{errors}");
    }
    let cartless = |_: &Call| json!({"data": {"me": {"cart": null}}, "errors": [{"extensions": {"code": "UNAVAILABLE"}}]});
    let answer = send(
        &Surfaces::new(cartless).cart,
        Method::GET,
        "/user/3/cart",
        "",
    )
    .await;
    assert_eq!(answer.status.as_u16(), 502);
}

#[tokio::test]
async fn a_refusal_has_the_status_of_the_table() {
    let cases = [
        ("INVALID_ARGUMENT", 400),
        ("PRODUCT_NOT_FOUND", 412),
        ("OUT_OF_STOCK", 412),
        ("CART_EMPTY", 404),
        ("IDEMPOTENCY_KEY_REUSED", 422),
        ("IDEMPOTENCY_KEY_IN_FLIGHT", 409),
        ("A_CODE_OF_TOMORROW", 500),
    ];
    for (code, status) in cases {
        let shop = Surfaces::new(refusing(code));
        for path in ["/user/1/cart/1", "/checkout/1"] {
            let answer = send(&shop.cart, Method::POST, path, r#"{"count":1}"#).await;
            assert_eq!(
                answer.status.as_u16(),
                status,
                "{code} {path}: {}",
                answer.text
            );
        }
    }
}

#[tokio::test]
async fn a_fault_is_masked_and_a_list_behind_a_dead_service_is_a_bad_gateway() {
    for (code, add, list) in [
        ("UNAVAILABLE", 503, 502),
        ("DEADLINE_EXCEEDED", 503, 502),
        ("INTERNAL", 500, 500),
        ("FORBIDDEN", 500, 500),
    ] {
        let shop = Surfaces::new(failing(code));
        let added = send(&shop.cart, Method::POST, "/user/1/cart/1", r#"{"count":1}"#).await;
        let listed = send(&shop.cart, Method::GET, "/user/1/cart", "").await;
        assert_eq!(
            (added.status.as_u16(), listed.status.as_u16()),
            (add, list),
            "{code}"
        );
        assert!(!added.text.contains("secret") && !listed.text.contains("secret"));
    }
}

#[tokio::test]
async fn emptying_what_is_empty_is_fine() {
    for answer in [Surfaces::new(healthy), Surfaces::new(refusing("NOT_FOUND"))] {
        for path in ["/user/1/cart/1", "/user/1/cart"] {
            let answer = send(&answer.cart, Method::DELETE, path, "").await;
            assert_eq!(
                (answer.status, answer.text.as_str()),
                (StatusCode::NO_CONTENT, "")
            );
        }
    }
}

#[tokio::test]
async fn each_spelling_of_checkout_gets_its_own_key() {
    let shop = Surfaces::new(healthy);
    let cases = [
        ("/checkout/5", "", r#"{"order_id":9}"#),
        ("/cart/checkout", r#"{"user":5}"#, r#"{"orderID":9}"#),
        ("/cart/checkout/5", "", r#"{"orderID":9}"#),
    ];
    for (path, body, expected) in cases {
        let answer = send(&shop.cart, Method::POST, path, body).await;
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (StatusCode::OK, expected),
            "{path}"
        );
        assert_eq!(shop.only_call().unwrap().1, user(5));
    }
    for body in [
        "",
        "{}",
        r#"{"user":0}"#,
        r#"{"user":"5"}"#,
        r#"{"user":-1}"#,
    ] {
        let answer = send(&shop.cart, Method::POST, "/cart/checkout", body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
    }
    let options = Config {
        checkout_key: CheckoutKey::Both,
        ..Config::default()
    };
    let answer = send(
        &Surfaces::with(options, healthy).cart,
        Method::POST,
        "/checkout/5",
        "",
    )
    .await;
    assert_eq!(answer.text, r#"{"order_id":9,"orderID":9}"#);
}

#[tokio::test]
async fn wrong_methods_and_paths_are_405_and_404() {
    let shop = Surfaces::new(healthy);
    let put = send(&shop.cart, Method::PUT, "/user/1/cart/1", "").await;
    assert_eq!(put.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(put.headers.contains_key("allow"));
    assert_eq!(
        send(&shop.cart, Method::GET, "/checkout/1", "")
            .await
            .status,
        405
    );
    assert_eq!(
        send(&shop.cart, Method::GET, "/nowhere", "").await.status,
        404
    );
}

#[tokio::test]
async fn a_body_over_its_bound_is_413() {
    let shop = Surfaces::new(healthy);
    let answer = send(
        &shop.cart,
        Method::POST,
        "/user/1/cart/1",
        vec![b' '; 1024 * 1024 + 1],
    )
    .await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}

/// Seen red without the layer.
#[tokio::test]
async fn a_page_of_another_site_cannot_write() {
    let shop = Surfaces::new(healthy);
    let call = |method: Method, path: &str| {
        let request = Request::builder().method(method).uri(path);
        request
            .header("sec-fetch-site", "cross-site")
            .body(Body::from(r#"{"count":1}"#))
            .unwrap()
    };
    for (router, path) in [(&shop.cart, "/user/1/cart/1"), (&shop.loms, "/order/pay")] {
        let refused = ask(router, call(Method::POST, path)).await;
        assert_eq!(refused.status, 403, "{path}");
        // Its author has no header and no setting that would help, so none is named.
        let told = "a page of another origin may not write here";
        assert!(refused.text.contains(told), "{}", refused.text);
    }
    assert_eq!(shop.only_call(), None);
    assert_eq!(
        ask(&shop.cart, call(Method::GET, "/user/1/cart"))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_panic_is_a_masked_500() {
    let shop = Surfaces::new(|_| panic!("secret"));
    let answer = send(&shop.cart, Method::GET, "/user/1/cart", "").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!answer.text.contains("secret"));
}

#[tokio::test]
async fn operators_find_an_index_of_profiles() {
    let shop = Surfaces::new(healthy);
    let index = send(&shop.cart, Method::GET, "/debug/pprof/", "").await;
    assert!(index.status.is_success() && index.text.contains("profile"));
    let bad = send(
        &shop.cart,
        Method::GET,
        "/debug/pprof/profile?seconds=3600",
        "",
    )
    .await;
    assert_eq!(bad.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        send(&shop.cart, Method::GET, "/metrics", "").await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_profile_that_is_switched_off_is_not_taken_and_its_setting_is_named() {
    let options = Config {
        profile_enabled: false,
        ..Config::default()
    };
    let shop = Surfaces::with(options, healthy);
    let path = "/debug/pprof/profile?seconds=1";
    let off = send(&shop.cart, Method::GET, path, "").await;
    assert_eq!(off.status, StatusCode::NOT_FOUND);
    assert!(
        off.text.contains("router.rest.profile_enabled"),
        "{}",
        off.text
    );
}

/// On what programs read as well.
#[tokio::test]
async fn no_answer_is_guessed_at_kept_or_framed_and_a_page_loads_nothing_from_elsewhere() {
    let shop = Surfaces::new(healthy);
    for (router, path) in [
        (&shop.cart, "/debug/pprof/"),
        (&shop.cart, "/docs/"),
        (&shop.loms, "/docs/"),
        (&shop.comments, "/docs/"),
        (&shop.cart, "/user/1/cart"),
        (&shop.loms, "/order/info?orderId=1"),
        (&shop.loms, "/nowhere"),
    ] {
        let answer = send(router, Method::GET, path, "").await;
        let header = |name| {
            let value = answer.headers.get(name);
            value.and_then(|value| value.to_str().ok()).unwrap_or("")
        };
        assert_eq!(header(header::X_CONTENT_TYPE_OPTIONS), "nosniff", "{path}");
        assert_eq!(header(header::CACHE_CONTROL), "no-store", "{path}");
        assert_eq!(header(header::X_FRAME_OPTIONS), "DENY", "{path}");
        let policy = header(header::CONTENT_SECURITY_POLICY);
        assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
    }
}
