//! The gateways: docs/contracts.md §3 and §6.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    super::{KeyCase, PaidStatus, UserKey, WrongMethod, openapi, route},
    *,
};

fn text(answer: &Answer) -> (u16, &str) {
    (answer.status.as_u16(), &answer.text)
}

#[tokio::test]
async fn an_order_is_created_for_the_user_in_the_body_whatever_the_key_is_called() {
    for key in ["userId", "user_id", "userID", "user"] {
        let shop = Surfaces::new(healthy);
        let body = json!({key: "31337", "items": [{"sku": "7", "count": 2}, {"sku": 7, "count": "1"}], "more": {}});
        let answer = send(&shop.loms, Method::POST, "/order/create", body.to_string()).await;
        assert_eq!(text(&answer), (200, r#"{"orderId":"9"}"#));
        assert_eq!(
            answer.headers["grpc-metadata-content-type"],
            "application/grpc"
        );
        assert_eq!(answer.headers["content-type"], "application/json");
        let (_, actor, variables) = shop.only_call().unwrap();
        assert_eq!(actor, Actor::User(31337.try_into().unwrap()));
        assert_eq!(
            variables,
            json!({"input": {"lines": [{"sku": "7", "count": 2}, {"sku": "7", "count": 1}]}})
        );
    }
}

#[tokio::test]
async fn a_bad_message_is_code_3_before_the_graph() {
    let shop = Surfaces::new(healthy);
    let bodies = [
        (
            "/order/create",
            r#"{"userId":"0","items":[{"sku":"1","count":1}]}"#,
        ),
        (
            "/order/create",
            r#"{"userId":"-1","items":[{"sku":"1","count":1}]}"#,
        ),
        ("/order/create", r#"{"userId":"1"}"#),
        ("/order/create", r#"{"userId":"1","items":[]}"#),
        ("/order/create", r#"{"userId":"1","items":[null]}"#),
        ("/order/create", r#"{"userId":"1","items":{}}"#),
        (
            "/order/create",
            r#"{"userId":"1","items":[{"sku":"0","count":1}]}"#,
        ),
        (
            "/order/create",
            r#"{"userId":"1","items":[{"sku":"1","count":0}]}"#,
        ),
        (
            "/order/create",
            r#"{"userId":"1","items":[{"sku":"1","count":-1}]}"#,
        ),
        (
            "/order/create",
            r#"{"userId":"1","items":[{"sku":"1","count":4294967296}]}"#,
        ),
        (
            "/order/create",
            r#"{"userId":"1","userID":"1","items":[{"sku":"1","count":1}]}"#,
        ),
        ("/order/create", ""),
        ("/order/create", "{"),
        ("/order/pay", r#"{"orderId":0}"#),
        ("/order/pay", r#"{"orderId":"x"}"#),
        ("/order/pay", "{}"),
        ("/order/cancel", r#"{"order_id":-1}"#),
    ];
    for (path, body) in bodies {
        let answer = send(&shop.loms, Method::POST, path, body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path} {body}");
        let problem = answer.json();
        assert_eq!(
            (&problem["code"], &problem["details"]),
            (&json!(3), &json!([])),
            "{body}"
        );
        assert!(problem["message"].is_string());
    }
    for path in [
        "/order/info",
        "/order/info?orderId=0",
        "/order/info?orderID=a",
        "/order/info?order_id=9223372036854775808",
        "/stock/info?sku=-1",
        "/stock/info?sku=",
    ] {
        let answer = send(&shop.loms, Method::GET, path, "").await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["code"]),
            (400, &json!(3)),
            "{path}"
        );
    }
    assert_eq!(shop.only_call(), None);
}

#[tokio::test]
async fn an_order_is_read_under_each_name_of_its_id_with_int64_as_text() {
    for key in ["orderId", "orderID", "order_id"] {
        let shop = Surfaces::new(healthy);
        let answer = send(
            &shop.loms,
            Method::GET,
            &format!("/order/info?{key}=9&x=1"),
            "",
        )
        .await;
        let expected = r#"{"status":"awaiting payment","userId":"3","items":[{"sku":"7","count":2},{"sku":"10","count":1}]}"#;
        assert_eq!(text(&answer), (200, expected));
        assert_eq!(
            shop.only_call(),
            Some(("RestOrderInfo", Actor::Shim, json!({"id": "9"})))
        );
    }
}

#[tokio::test]
async fn older_spellings_are_settings() {
    let paid = |_: &Call| json!({"data": order("PAID")});
    let read = async |options: Config| {
        send(
            &Surfaces::with(options, paid).loms,
            Method::GET,
            "/order/info?orderId=9",
            "",
        )
        .await
        .json()
    };
    assert_eq!(read(Config::default()).await["status"], "paid");
    let old = Config {
        paid_status: PaidStatus::Payed,
        order_user_key: UserKey::User,
        ..Config::default()
    };
    let old = read(old).await;
    assert_eq!(
        (&old["status"], &old["user"], &old["userId"]),
        (&json!("payed"), &json!("3"), &Value::Null)
    );
    let both = read(Config {
        order_user_key: UserKey::Both,
        ..Config::default()
    })
    .await;
    assert_eq!((&both["user"], &both["userId"]), (&json!("3"), &json!("3")));
}

#[tokio::test]
async fn every_status_of_the_graph_has_the_contracts_word() {
    for status in schema::event::OrderStatus::ALL {
        let shop = Surfaces::new(move |_| json!({"data": order(status.graphql_name())}));
        let answer = send(&shop.loms, Method::GET, "/order/info?orderId=9", "").await;
        assert_eq!(answer.json()["status"], status.as_str());
    }
}

#[tokio::test]
async fn pay_cancel_and_stock_answer_with_defaults_written_out() {
    let shop = Surfaces::new(healthy);
    for path in ["/order/pay", "/order/cancel"] {
        for body in [
            r#"{"orderId":"9"}"#,
            r#"{"orderID":9}"#,
            r#"{"order_id":9.0}"#,
        ] {
            let answer = send(&shop.loms, Method::POST, path, body).await;
            assert_eq!(text(&answer), (200, "{}"));
            assert_eq!(
                shop.only_call().unwrap().2,
                json!({"input": {"orderId": "9"}})
            );
        }
    }
    let answer = send(&shop.loms, Method::GET, "/stock/info?sku=7", "").await;
    assert_eq!(text(&answer), (200, r#"{"count":0}"#));
}

#[tokio::test]
async fn absence_is_code_5() {
    let absent = |call: &Call| match call.operation.name {
        "RestStock" => json!({"data": {"stock": null}}),
        "RestComment" => json!({"data": {"comment": null}}),
        _ => json!({"data": {"order": null}}),
    };
    let shop = Surfaces::new(absent);
    let answers = [
        send(&shop.loms, Method::GET, "/order/info?orderId=9", "").await,
        send(&shop.loms, Method::GET, "/stock/info?sku=9", "").await,
        send(
            &shop.comments,
            Method::POST,
            "/comment/get-by-id",
            r#"{"id":"7"}"#,
        )
        .await,
    ];
    for answer in answers {
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["code"]),
            (404, &json!(5))
        );
    }
}

#[tokio::test]
async fn a_refusal_has_grpcs_code_and_the_gateways_status() {
    let cases = [
        ("OUT_OF_STOCK", 400, 9),
        ("ORDER_NOT_PAYABLE", 400, 9),
        ("ORDER_NOT_CANCELLABLE", 400, 9),
        ("EDIT_WINDOW_OVER", 400, 9),
        ("NOT_FOUND", 404, 5),
        ("NOT_THE_AUTHOR", 403, 7),
        ("INVALID_ARGUMENT", 400, 3),
    ];
    for (code, status, grpc) in cases {
        let shop = Surfaces::new(refusing(code));
        let edit = r#"{"user_id":1,"comment_id":2,"new_comment":"x"}"#;
        let create = r#"{"userId":1,"items":[{"sku":1,"count":1}]}"#;
        let answers = [
            send(&shop.loms, Method::POST, "/order/create", create).await,
            send(&shop.loms, Method::POST, "/order/pay", r#"{"orderId":1}"#).await,
            send(&shop.comments, Method::POST, "/comment/edit", edit).await,
        ];
        for answer in answers {
            let problem = answer.json();
            assert_eq!(
                (answer.status.as_u16(), &problem["code"]),
                (status, &json!(grpc)),
                "{code}"
            );
            assert_eq!(problem["message"], "no");
        }
    }
}

#[tokio::test]
async fn wrong_methods_and_paths_are_501_and_404_in_grpcs_form() {
    let shop = Surfaces::new(healthy);
    let wrong = send(&shop.loms, Method::GET, "/order/pay", "").await;
    let form = r#"{"code":12,"message":"Method Not Allowed","details":[]}"#;
    assert_eq!(text(&wrong), (501, form));
    let unknown = send(&shop.comments, Method::POST, "/nowhere", "").await;
    assert_eq!(
        text(&unknown),
        (404, r#"{"code":5,"message":"Not Found","details":[]}"#)
    );
    let options = Config {
        wrong_method: WrongMethod::MethodNotAllowed,
        ..Config::default()
    };
    let wrong = send(
        &Surfaces::with(options, healthy).loms,
        Method::POST,
        "/stock/info",
        "",
    )
    .await;
    assert_eq!(text(&wrong), (405, form));
}

#[tokio::test]
async fn a_comment_is_read_in_both_cases_and_written_in_the_one_that_is_set() {
    let read = async |case: KeyCase| {
        let options = Config {
            comments_key_case: case,
            ..Config::default()
        };
        let shop = Surfaces::with(options, healthy);
        send(
            &shop.comments,
            Method::POST,
            "/comment/get-by-id",
            r#"{"id":1000}"#,
        )
        .await
        .text
    };
    assert_eq!(
        read(KeyCase::Camel).await,
        r#"{"id":"1000","userId":"3","sku":"7","comment":"fine","createdAt":"2026-01-02T03:04:05.000006Z"}"#
    );
    assert_eq!(
        read(KeyCase::Snake).await,
        r#"{"id":"1000","user_id":"3","sku":"7","comment":"fine","created_at":"2026-01-02T03:04:05.000006Z"}"#
    );
    assert!(
        read(KeyCase::Both)
            .await
            .contains(r#""userId":"3","user_id":"3""#)
    );
    for body in [
        r#"{"user_id":"3","sku":"7","comment":"fine"}"#,
        r#"{"userId":3,"sku":7,"comment":"fine"}"#,
    ] {
        let answer = send(
            &Surfaces::new(healthy).comments,
            Method::POST,
            "/comment/add",
            body,
        )
        .await;
        assert_eq!(text(&answer), (200, r#"{"id":"1000"}"#));
    }
}

/// Seen red with the length in bytes.
#[tokio::test]
async fn a_comment_is_1_to_255_characters_and_not_bytes() {
    let shop = Surfaces::new(healthy);
    for (text, status) in [
        (String::new(), 400),
        ("я".repeat(255), 200),
        ("a".repeat(256), 400),
    ] {
        let add = json!({"user_id": 1, "sku": 1, "comment": text}).to_string();
        let edit = json!({"user_id": 1, "comment_id": 1, "new_comment": text}).to_string();
        assert_eq!(
            send(&shop.comments, Method::POST, "/comment/add", add)
                .await
                .status,
            status
        );
        assert_eq!(
            send(&shop.comments, Method::POST, "/comment/edit", edit)
                .await
                .status,
            status
        );
    }
}

#[tokio::test]
async fn a_list_is_newest_first_with_ties_by_user_over_all_its_pages() {
    let shop = Surfaces::new(|call| {
        let comment = |id: &str, user: &str, second: u32| json!({"id": id, "author": {"id": user}, "product": {"sku": "7"}, "text": "t", "createdAt": format!("2026-01-02T03:04:{second:02}Z")});
        let (nodes, more) = match call.variables["after"].as_str() {
            None => (vec![comment("1", "30", 5), comment("2", "4", 5)], true),
            Some(_) => (vec![comment("3", "1", 4)], false),
        };
        json!({"data": {"comments": {"nodes": nodes, "pageInfo": {"hasNextPage": more, "endCursor": "c"}}}})
    });
    let answer = send(
        &shop.comments,
        Method::POST,
        "/comment/list-by-sku",
        r#"{"sku":7}"#,
    )
    .await;
    let ids: Vec<_> = answer.json()["comments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["id"].clone())
        .collect();
    assert_eq!(ids, ["2", "1", "3"]);
}

#[tokio::test]
async fn a_list_without_end_is_cut_at_its_bound_and_an_empty_one_is_written_out() {
    let endless = Surfaces::new(
        |_| json!({"data": {"comments": {"nodes": [], "pageInfo": {"hasNextPage": true, "endCursor": "c"}}}}),
    );
    let answer = send(
        &endless.comments,
        Method::POST,
        "/comment/list-by-sku",
        r#"{"sku":7}"#,
    )
    .await;
    assert_eq!(text(&answer), (200, r#"{"comments":[]}"#));
    assert_eq!(endless.seen.lock().unwrap().len(), 10);
}

/// The document and the routes come from one table; this holds the rest: every reply has the documented keys.
#[tokio::test]
async fn the_document_describes_what_is_served() {
    let shop = Surfaces::new(healthy);
    let bodies = json!({
        "userId": 1, "orderId": 1, "sku": 1, "id": 1, "commentId": 1,
        "items": [{"sku": 1, "count": 1}], "comment": "t", "newComment": "t",
    });
    for (router, routes) in [
        (&shop.loms, loms::ROUTES),
        (&shop.comments, comments::ROUTES),
    ] {
        let served = send(router, Method::GET, "/swagger.json", "").await.json();
        assert_eq!(served["paths"], openapi::document("", routes)["paths"]);
        for route in routes {
            let body = documented(route, &bodies);
            let answer = match route.method {
                route::Method::Get => {
                    let path = format!("{}?orderId=1&sku=1", route.path);
                    send(router, Method::GET, &path, "").await
                }
                route::Method::Post => {
                    send(router, Method::POST, route.path, body.to_string()).await
                }
            };
            assert_eq!(answer.status, 200, "{}: {}", route.path, answer.text);
            let names: Vec<_> = route
                .reply
                .iter()
                .map(|field| field.name.to_owned())
                .collect();
            let keys: Vec<_> = answer.json().as_object().unwrap().keys().cloned().collect();
            assert_eq!(keys, names, "{}", route.path);
        }
    }
    let page = send(&shop.loms, Method::GET, "/docs/", "").await;
    assert!(page.status.is_success() && page.text.contains("swagger-ui"));
}

/// A body with the documented fields of a route alone.
fn documented(route: &route::Route, values: &Value) -> Value {
    let fields = route.request.iter();
    let members = fields.map(|field| (field.name.to_owned(), values[field.name].clone()));
    Value::Object(members.collect())
}
