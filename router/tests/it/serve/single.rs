//! Server-sent events over one connection for many operations. Source: graphql-sse PROTOCOL.md, single connection mode.

use reqwest::{Method, Response};
use schema::event::OrderStatus;
use serde_json::{Value, json};

use super::{
    client::{LIMIT, parse},
    shop::Shop,
};

const MINE: &str = "subscription { myOrderEvents { version } }";

/// One client with one stream.
struct Single<'a> {
    shop: &'a Shop,
    bearer: String,
    token: String,
    stream: Response,
    text: String,
}

async fn ask(
    shop: &Shop,
    bearer: &str,
    method: Method,
    token: Option<&str>,
    query: &str,
) -> Response {
    let url = format!("http://{}/graphql/stream{query}", shop.service.address);
    let mut request = reqwest::Client::new()
        .request(method, url)
        .bearer_auth(bearer);
    if let Some(token) = token {
        request = request.header("x-graphql-event-stream-token", token);
    }
    request.send().await.expect("answers")
}

impl<'a> Single<'a> {
    async fn open(shop: &'a Shop, user: i64) -> Self {
        let bearer = shop.token(user);
        let reserved = ask(shop, &bearer, Method::PUT, None, "").await;
        assert_eq!(reserved.status(), 201);
        let token = reserved.text().await.expect("a token");
        let stream = ask(shop, &bearer, Method::GET, Some(&token), "").await;
        assert_eq!(stream.status(), 200);
        let kind = stream.headers()["content-type"].to_str().expect("plain");
        assert!(kind.starts_with("text/event-stream"), "{kind}");
        Self {
            shop,
            bearer,
            token,
            stream,
            text: String::new(),
        }
    }

    async fn start(&self, bearer: &str, id: &Value, query: &str) -> u16 {
        let url = format!("http://{}/graphql/stream", self.shop.service.address);
        let request = reqwest::Client::new()
            .post(url)
            .bearer_auth(bearer)
            .header("x-graphql-event-stream-token", &self.token)
            .json(&json!({"query": query, "extensions": {"operationId": id}}));
        request.send().await.expect("answers").status().as_u16()
    }

    /// The next event's name and data; `None` when the body broke off.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let frame = parse(block);
                self.text = rest.to_owned();
                match frame {
                    Some(frame) => return Some((frame.event, frame.data)),
                    None => continue,
                }
            }
            let chunk = tokio::time::timeout(LIMIT, self.stream.chunk()).await;
            let chunk = chunk
                .expect("in time")
                .ok()?
                .expect("it breaks off rather than end");
            self.text.push_str(&String::from_utf8_lossy(&chunk));
        }
    }
}

#[tokio::test]
async fn operations_share_a_stream_and_each_has_its_id() {
    let shop = Shop::start().await;
    let mut single = Single::open(&shop, 1).await;
    let own = single.bearer.clone();
    assert_eq!(single.start(&own, &json!("q"), "{ __typename }").await, 202);
    let next = json!({"id": "q", "payload": {"data": {"__typename": "Query"}}});
    assert_eq!(single.next().await, Some(("next".to_owned(), next)));
    let complete = Some(("complete".to_owned(), json!({"id": "q"})));
    assert_eq!(single.next().await, complete);

    assert_eq!(single.start(&own, &json!("s"), MINE).await, 202);
    assert_eq!(single.start(&own, &json!("s"), MINE).await, 409);
    assert_eq!(single.start(&own, &json!("q"), "{ __typename }").await, 202);
    single.next().await;
    assert_eq!(single.next().await, complete);
    shop.change(7, 1, OrderStatus::New).await;
    let (_, frame) = single.next().await.expect("a frame");
    assert_eq!(
        (
            &frame["id"],
            &frame["payload"]["data"]["myOrderEvents"]["version"]
        ),
        (&json!("s"), &json!(1))
    );
    assert!(
        frame["payload"]["extensions"]["cursor"].is_string(),
        "{frame}"
    );

    let foreign = r#"subscription { orderEvents(orderId: "9") { version } }"#;
    assert_eq!(single.start(&own, &json!("e"), foreign).await, 202);
    let (_, refused) = single.next().await.expect("an error");
    let code = &refused["payload"]["errors"][0]["extensions"]["code"];
    assert_eq!((&refused["id"], code), (&json!("e"), &json!("NOT_FOUND")));
    assert_eq!(
        single.next().await,
        Some(("complete".to_owned(), json!({"id": "e"})))
    );

    let stopped = ask(
        &shop,
        &own,
        Method::DELETE,
        Some(&single.token),
        "?operationId=s",
    )
    .await;
    assert_eq!(stopped.status(), 200);
    testkit::eventually("the id is free", LIMIT, async || {
        (single.start(&own, &json!("s"), MINE).await == 202).then_some(())
    })
    .await;
    let late = async {
        let late = shop.tasks.shutdown(LIMIT).await;
        assert!(late.is_empty(), "{late:?}");
    };
    let (end, ()) = tokio::join!(single.next(), late);
    assert_eq!(
        end, None,
        "no completion: its clients take that for the end"
    );
}

/// Meant against streams found by their token alone.
#[tokio::test]
async fn a_stream_is_its_callers_alone_and_bad_requests_are_refused() {
    let shop = Shop::start().await;
    let single = Single::open(&shop, 1).await;
    let (own, foreign) = (single.bearer.clone(), shop.token(2));
    assert_eq!(
        single.start(&foreign, &json!("q"), "{ __typename }").await,
        404
    );
    for (method, query) in [(Method::GET, ""), (Method::DELETE, "?operationId=s")] {
        let refused = ask(&shop, &foreign, method, Some(&single.token), query).await;
        assert_eq!(refused.status(), 404);
    }
    let cases = [
        (Method::GET, Some("nonsense"), "", 404),
        (Method::GET, None, "", 404),
        (Method::GET, Some(single.token.as_str()), "", 409),
        (Method::PUT, Some(single.token.as_str()), "", 409),
        (Method::DELETE, Some(single.token.as_str()), "", 400),
        (Method::PATCH, None, "", 405),
    ];
    for (method, token, query, status) in cases {
        let answer = ask(&shop, &own, method.clone(), token, query).await;
        assert_eq!(answer.status(), status, "{method} {token:?}");
    }
    for id in [json!(null), json!(""), json!(7)] {
        assert_eq!(single.start(&own, &id, "{ __typename }").await, 400, "{id}");
    }
    // What is not valid is refused to its request; the protocol leaves it to GraphQL over HTTP.
    for query in ["{ nothing }", "{"] {
        let status = single.start(&own, &json!("e"), query).await;
        assert_eq!(status, 400, "{query}");
    }
    let mutation = r#"?query=mutation{payOrder(input:{orderId:"7"}){order{id}}}&extensions={"operationId":"m"}"#;
    let refused = ask(&shop, &own, Method::GET, Some(&single.token), mutation).await;
    assert_eq!(refused.status(), 405);
    drop(single);
    shop.stop().await;
}

/// The protocol lets operations come as soon as there is a reservation. Meant against a session that begins with the stream.
#[tokio::test]
async fn an_operation_of_a_reservation_waits_for_its_stream() {
    let shop = Shop::start().await;
    let own = shop.token(1);
    let reserved = ask(&shop, &own, Method::PUT, None, "").await;
    let token = reserved.text().await.expect("a token");
    let query = r#"?query={__typename}&extensions={"operationId":"q"}"#;
    let started = ask(&shop, &own, Method::GET, Some(&token), query).await;
    assert_eq!(started.status(), 202);
    let stream = ask(&shop, &own, Method::GET, Some(&token), "").await;
    assert_eq!(stream.status(), 200);
    let mut single = Single {
        shop: &shop,
        bearer: own,
        token,
        stream,
        text: String::new(),
    };
    let next = json!({"id": "q", "payload": {"data": {"__typename": "Query"}}});
    assert_eq!(single.next().await, Some(("next".to_owned(), next)));
    drop(single);
    shop.stop().await;
}
