//! GraphQL over HTTP: what is answered with which status and media type.

use reqwest::{Client, RequestBuilder, StatusCode, header::HeaderMap};
use schema::event::OrderStatus;
use serde_json::{Value, json};

use super::shop::Shop;

const GRAPHQL: &str = "application/graphql-response+json";
const JSON: &str = "application/json";

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.expect("answers");
        let (status, headers) = (response.status(), response.headers().clone());
        Self {
            status,
            headers,
            body: response.text().await.expect("a body"),
        }
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }

    fn code(&self) -> String {
        self.json()["errors"][0]["extensions"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

fn post(shop: &Shop, accept: &str, body: impl Into<String>) -> RequestBuilder {
    let request = Client::new().post(shop.url()).header("content-type", JSON);
    request.header("accept", accept).body(body.into())
}

#[track_caller]
fn check(answer: &Answer, status: u16, media: &str, code: &str) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
    assert_eq!(
        answer.header("content-type"),
        format!("{media}; charset=utf-8")
    );
    if code.is_empty() {
        assert!(answer.json()["errors"].is_null(), "{}", answer.body);
    } else {
        assert_eq!(answer.code(), code, "{}", answer.body);
        assert!(
            answer.json().get("data").is_none(),
            "a refusal has no data: {}",
            answer.body
        );
    }
}

/// An operation without an origin passes by the routes and their layers, and nobody may tell. Seen red without `vary`.
#[tokio::test]
async fn a_page_and_a_program_get_the_same_but_for_what_only_a_page_reads() {
    let shop = Shop::start().await;
    let own = shop.url().trim_end_matches("/graphql").to_owned();
    for body in [
        r#"{"query":"{ __typename }"}"#,
        r#"{"query":"{"}"#,
        "",
        "[]",
    ] {
        let program = Answer::of(post(&shop, GRAPHQL, body)).await;
        let page = Answer::of(post(&shop, GRAPHQL, body).header("origin", &own)).await;
        assert_eq!((program.status, &program.body), (page.status, &page.body));
        let headers = |answer: &Answer| {
            let all = answer.headers.iter();
            // Both change from one request to the next.
            let same =
                all.filter(|(name, _)| !matches!(name.as_str(), "date" | "ratelimit-remaining"));
            let mut same: Vec<_> = same
                .filter(|(name, _)| !name.as_str().starts_with("access-control-"))
                .map(|(name, value)| (name.to_string(), value.clone()))
                .collect();
            same.sort();
            same
        };
        assert_eq!(headers(&program), headers(&page), "{body}");
        assert!(!page.header("access-control-expose-headers").is_empty());
    }
}

/// Source: GraphQL over HTTP, 6.4. Seen red with `is_about_the_operation` always true.
#[tokio::test]
async fn statuses_follow_the_media_type() {
    let shop = Shop::start().await;
    let cases: &[(&str, u16, u16, &str)] = &[
        (r#"{"query":"{ __typename }"}"#, 200, 200, ""),
        (
            r#"{"query":"{ __typename }","variables":null,"operationName":null,"extensions":null}"#,
            200,
            200,
            "",
        ),
        (
            r#"{"query":"query A { __typename } query B { __typename }","operationName":"B"}"#,
            200,
            200,
            "",
        ),
        (r#"{"query":"{"}"#, 400, 200, "GRAPHQL_PARSE_FAILED"),
        (
            r#"{"query":"{ nothing }"}"#,
            400,
            200,
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (
            r#"{"query":"query A { __typename }","operationName":"B"}"#,
            400,
            200,
            "OPERATION_NOT_FOUND",
        ),
        (
            r#"{"query":"query($x: ID!) { product(sku: $x) { sku } }"}"#,
            400,
            200,
            "BAD_VARIABLES",
        ),
        (r#"{"query":"{ __typename }""#, 400, 400, "BAD_REQUEST"),
        ("", 400, 400, "BAD_REQUEST"),
        ("{}", 400, 400, "BAD_REQUEST"),
        (r#"{"query":1}"#, 400, 400, "BAD_REQUEST"),
        (
            r#"{"query":"{ __typename }","variables":"x"}"#,
            400,
            400,
            "BAD_REQUEST",
        ),
        (
            r#"{"query":"{ __typename }","operationName":{}}"#,
            400,
            400,
            "BAD_REQUEST",
        ),
        (
            r#"{"query":"{ __typename }","extensions":[]}"#,
            400,
            400,
            "BAD_REQUEST",
        ),
        (r#"[{"query":"{ __typename }"}]"#, 400, 400, "BAD_REQUEST"),
    ];
    for (body, proper, legacy, code) in cases {
        check(
            &Answer::of(post(&shop, GRAPHQL, *body)).await,
            *proper,
            GRAPHQL,
            code,
        );
        // What is refused before its form is known is told in the newer media type, which says more.
        let answer = Answer::of(post(&shop, JSON, *body)).await;
        check(&answer, *legacy, JSON, code);
    }
    shop.stop().await;
}

#[tokio::test]
async fn what_is_not_accepted_or_not_json_is_refused() {
    let shop = Shop::start().await;
    let query = r#"{"query":"{ __typename }"}"#;
    let any = Answer::of(post(&shop, "*/*", query)).await;
    check(&any, 200, JSON, "");
    let html = Answer::of(post(&shop, "text/html", query)).await;
    assert_eq!(
        (html.status.as_u16(), html.code().as_str()),
        (406, "NOT_ACCEPTABLE")
    );
    let subscription = r#"{"query":"subscription { myOrderEvents { cursor } }"}"#;
    let plain = Answer::of(post(&shop, JSON, subscription)).await;
    assert_eq!(
        (plain.status.as_u16(), plain.code().as_str()),
        (406, "NOT_ACCEPTABLE")
    );

    let typed = |kind: &str| {
        Client::new()
            .post(shop.url())
            .header("content-type", kind)
            .body(query)
    };
    let xml = Answer::of(typed("application/xml")).await;
    assert_eq!(
        (xml.status.as_u16(), xml.code().as_str()),
        (415, "UNSUPPORTED_MEDIA_TYPE")
    );
    let latin = Answer::of(typed("application/json; charset=latin1")).await;
    assert_eq!(latin.status.as_u16(), 415);
    let packed = Answer::of(typed(JSON).header("content-encoding", "gzip")).await;
    assert_eq!(
        (packed.status.as_u16(), packed.header("accept-encoding")),
        (415, "identity")
    );
    let form = Answer::of(typed("text/plain")).await;
    assert_eq!(
        (form.status.as_u16(), form.code().as_str()),
        (403, "CSRF_REFUSED")
    );
    let preflighted = typed("text/plain").header("graphql-require-preflight", "1");
    assert_eq!(Answer::of(preflighted).await.status.as_u16(), 415);

    let large = format!(
        r#"{{"query":"{{ __typename }}","x":"{}"}}"#,
        "x".repeat(1024 * 1024)
    );
    let large = Answer::of(post(&shop, GRAPHQL, large)).await;
    assert_eq!(
        (large.status.as_u16(), large.code().as_str()),
        (413, "PAYLOAD_TOO_LARGE")
    );
    let put = Answer::of(Client::new().put(shop.url())).await;
    assert_eq!(
        (put.status.as_u16(), put.header("allow")),
        (405, "GET, POST")
    );
    shop.stop().await;
}

/// Seen red with the check of the kind removed: the GET then paid.
#[tokio::test]
async fn a_get_queries_and_never_mutates() {
    let shop = Shop::start().await;
    shop.orders.set(7, 1, OrderStatus::AwaitingPayment);
    let get = |query: &str| {
        let request = Client::new().get(shop.url()).query(&[("query", query)]);
        request.header("accept", GRAPHQL).bearer_auth(shop.token(1))
    };
    let variables = get("query($id: ID!) { order(id: $id) { version } }");
    let answer = Answer::of(variables.query(&[("variables", r#"{"id":"7"}"#)])).await;
    assert_eq!(answer.json(), json!({"data": {"order": {"version": 1}}}));
    let pay = r#"mutation { payOrder(input: {orderId: "7"}) { order { id } } }"#;
    let refused = Answer::of(get(pay)).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code().as_str()),
        (405, "METHOD_NOT_ALLOWED")
    );
    assert_eq!(refused.header("allow"), "POST");
    assert_eq!(shop.orders.paid(), 0);

    let image = Client::new()
        .get(shop.url())
        .query(&[("query", "{ __typename }")])
        .header("accept", "image/*,*/*")
        .header("referer", "http://evil.example/");
    let image = Answer::of(image).await;
    assert_eq!(
        (image.status.as_u16(), image.code().as_str()),
        (403, "CSRF_REFUSED")
    );
    shop.stop().await;
}

#[tokio::test]
async fn a_bad_token_is_refused_and_none_is_a_visitor() {
    let shop = Shop::start().await;
    let query = r#"{"query":"{ product(sku: \"70\") { name } }"}"#;
    let visitor = Answer::of(post(&shop, GRAPHQL, query)).await;
    assert_eq!(visitor.json()["data"]["product"]["name"], "product 70");
    for header in ["Bearer nonsense", "Basic abc"] {
        let bad = Answer::of(post(&shop, GRAPHQL, query).header("authorization", header)).await;
        assert_eq!(
            (bad.status.as_u16(), bad.code().as_str()),
            (401, "UNAUTHENTICATED")
        );
        assert_eq!(bad.header("www-authenticate"), "Bearer");
    }
    shop.stop().await;
}

#[tokio::test]
async fn the_demo_issuer_hands_out_tokens_that_work() {
    let shop = Shop::start().await;
    shop.orders.set(7, 3, OrderStatus::Paid);
    let url = format!("http://{}/demo/token", shop.service.address);
    let token = Client::new()
        .post(&url)
        .json(&json!({"user": "3", "ops": false}));
    let token = Answer::of(token).await.json()["token"]
        .as_str()
        .expect("a token")
        .to_owned();
    let body = r#"{"query":"{ order(id: \"7\") { status } }"}"#;
    let mine = Answer::of(post(&shop, GRAPHQL, body).bearer_auth(&token)).await;
    assert_eq!(mine.json(), json!({"data": {"order": {"status": "PAID"}}}));
    for bad in [
        json!({"user": "0"}),
        json!({"user": -1}),
        json!({}),
        json!({"user": "1", "x": 1}),
    ] {
        let refused = Answer::of(Client::new().post(&url).json(&bad)).await;
        assert_eq!(
            (refused.status.as_u16(), refused.code().as_str()),
            (400, "INVALID_ARGUMENT")
        );
    }
    let jwks = format!("http://{}/.well-known/jwks.json", shop.service.address);
    let jwks = Answer::of(Client::new().get(jwks)).await.json();
    assert!(jwks["keys"][0]["kid"].is_string(), "{jwks}");
    assert!(jwks["keys"][0]["d"].is_null(), "no private part: {jwks}");
    shop.stop().await;
}

/// Seen red with the refusal left out.
#[tokio::test]
async fn a_spent_budget_is_refused_with_the_time_to_wait() {
    let shop = Shop::with(|config| config.rate_limit.budget = 60).await;
    let query =
        r#"{"query":"{ rateLimit { cost limit remaining } product(sku: \"1\") { name } }"}"#;
    let first = Answer::of(post(&shop, GRAPHQL, query).bearer_auth(shop.token(1))).await;
    let told = &first.json()["data"]["rateLimit"];
    assert_eq!(told["limit"], 60, "{}", first.body);
    let cost = told["cost"].as_i64().expect("a cost");
    assert_eq!(told["remaining"], 60 - cost);
    assert_eq!(first.header("ratelimit-remaining"), (60 - cost).to_string());
    for _ in 0..60 / cost {
        let again = Answer::of(post(&shop, GRAPHQL, query).bearer_auth(shop.token(1))).await;
        if again.status == StatusCode::TOO_MANY_REQUESTS {
            assert_eq!(again.code(), "RATE_LIMITED");
            let wait: u64 = again.header("retry-after").parse().expect("seconds");
            assert!((1..=60).contains(&wait));
            let other = Answer::of(post(&shop, GRAPHQL, query).bearer_auth(shop.token(2))).await;
            assert_eq!(other.status, StatusCode::OK, "each caller has a budget");
            return shop.stop().await;
        }
    }
    panic!("the budget was never spent");
}

/// Seen red with the headers left off what is refused.
#[tokio::test]
async fn no_answer_is_guessed_at_kept_or_framed() {
    let shop = Shop::start().await;
    shop.orders.set(7, 1, OrderStatus::Paid);
    let stream = json!({"query": r#"subscription { orderEvents(orderId: "7") { version } }"#});
    let stream = |accept| post(&shop, accept, stream.to_string()).bearer_auth(shop.token(1));
    let plain = r#"{"query":"{ __typename }"}"#;
    for (case, request) in [
        ("a result", post(&shop, JSON, plain)),
        ("no GraphQL", post(&shop, GRAPHQL, r#"{"query":"}"}"#)),
        ("no JSON", post(&shop, JSON, "{")),
        (
            "no caller",
            post(&shop, JSON, plain).bearer_auth("nonsense"),
        ),
        ("a method", Client::new().put(shop.url())),
        ("a path", Client::new().get(shop.url() + "/nothing")),
        (
            "health",
            Client::new().get(shop.url().replace("/graphql", "/readyz")),
        ),
        (
            "a read",
            Client::new().get(shop.url() + "?query={__typename}"),
        ),
        ("a stream", stream("text/event-stream")),
        ("a stream in parts", stream("multipart/mixed")),
    ] {
        // The head alone: a stream does not end.
        let answer = request.send().await.expect("answers");
        let header = |name: &str| answer.headers().get(name).map(|it| it.to_str().unwrap());
        assert_eq!(header("x-content-type-options"), Some("nosniff"), "{case}");
        let kept = header("cache-control").unwrap_or_default();
        assert!(kept.contains("no-store"), "{case}: {kept:?}");
        assert_eq!(header("x-frame-options"), Some("DENY"), "{case}");
    }
    shop.stop().await;
}
