//! The translation alone, against canned answers of the graph: what goes in, what comes out, what is never sent.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode},
};
use chassis::clock::Clock;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{
    Config,
    account::Accounts,
    cart, comments,
    credential::Actor,
    graph::{Call, Graph},
    loms,
    shim::Shim,
};

mod account_cases;
mod cart_cases;
mod fuzz;
mod gateway_cases;
mod operations;

/// An answer of a surface, read whole.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }
}

/// What the graph was asked: operation, actor, variables.
type Seen = Arc<Mutex<Vec<(&'static str, Actor, Value)>>>;

/// The three surfaces over one canned graph.
struct Surfaces {
    cart: Router,
    loms: Router,
    comments: Router,
    seen: Seen,
}

impl Surfaces {
    fn new(answer: impl Fn(&Call) -> Value + Send + Sync + 'static) -> Self {
        Self::with(Config::default(), answer)
    }

    fn with(options: Config, answer: impl Fn(&Call) -> Value + Send + Sync + 'static) -> Self {
        let seen = Seen::default();
        let log = Arc::clone(&seen);
        let graph = Graph::canned(move |call| {
            let variables = Value::Object(call.variables.clone());
            log.lock()
                .unwrap()
                .push((call.operation.name, call.actor, variables));
            answer(call)
        });
        let rate_limit = options.rate_limit.clone();
        let shim = Arc::new(Shim {
            graph,
            accounts: Accounts::new(rate_limit, Clock::system(), Vec::new()),
            options,
        });
        Self {
            cart: cart::routes(&shim),
            loms: loms::routes(&shim),
            comments: comments::routes(&shim),
            seen,
        }
    }

    /// The variables of the only call, or none when the graph was not asked.
    fn only_call(&self) -> Option<(&'static str, Actor, Value)> {
        let mut seen = self.seen.lock().unwrap();
        assert!(seen.len() <= 1, "one call at most: {seen:?}");
        seen.pop()
    }
}

async fn send(router: &Router, method: Method, path: &str, body: impl Into<Body>) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .body(body.into())
        .unwrap();
    ask(router, request).await
}

async fn ask(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    Answer {
        status: head.status,
        headers: head.headers,
        text,
    }
}

/// What a healthy graph answers.
fn healthy(call: &Call) -> Value {
    let comment = json!({"id": "1000", "author": {"id": "3"}, "product": {"sku": "7"}, "text": "fine", "createdAt": "2026-01-02T03:04:05.000006+00:00"});
    let page = json!({"nodes": [comment], "pageInfo": {"hasNextPage": false, "endCursor": "x"}});
    let data = match call.operation.name {
        "RestAddToCart" => json!({"addToCart": {"userErrors": []}}),
        "RestRemoveFromCart" => json!({"removeFromCart": {"userErrors": []}}),
        "RestClearCart" => json!({"clearCart": {"userErrors": []}}),
        "RestCheckout" => json!({"checkout": {"order": {"id": "9"}, "userErrors": []}}),
        "RestCart" => {
            json!({"me": {"cart": {"lines": [line("7", 2, "5")], "total": {"amount": "10"}}}})
        }
        "RestCreateOrder" => json!({"createOrder": {"order": {"id": "9"}, "userErrors": []}}),
        "RestOrderInfo" => order("AWAITING_PAYMENT"),
        "RestPayOrder" => json!({"payOrder": {"userErrors": []}}),
        "RestCancelOrder" => json!({"cancelOrder": {"userErrors": []}}),
        "RestStock" => json!({"stock": {"available": 0}}),
        "RestAddComment" => json!({"addComment": {"comment": {"id": "1000"}, "userErrors": []}}),
        "RestComment" => json!({"comment": comment}),
        "RestEditComment" => json!({"editComment": {"userErrors": []}}),
        "RestCommentsBySku" => json!({"comments": page}),
        "RestCommentsByUser" => json!({"me": {"comments": page}}),
        other => panic!("no canned answer for {other}"),
    };
    json!({"data": data})
}

fn line(sku: &str, count: u32, price: &str) -> Value {
    json!({"product": {"sku": sku, "name": "Теория \"1|2\"\n", "price": {"amount": price}}, "count": count})
}

fn order(status: &str) -> Value {
    let line = |sku: &str, count: u32| json!({"product": {"sku": sku}, "count": count});
    json!({"order": {"status": status, "user": {"id": "3"}, "lines": [line("7", 2), line("10", 1)]}})
}

/// A graph whose every mutation is refused with one code.
fn refusing(code: &'static str) -> impl Fn(&Call) -> Value + Send + Sync + 'static {
    move |call| {
        let mut answer = healthy(call);
        if let Some(fields) = answer["data"].as_object_mut() {
            for payload in fields.values_mut() {
                *payload = json!({"order": null, "comment": null, "userErrors": [{"code": code, "message": "no"}]});
            }
        }
        answer
    }
}

/// A graph whose every root field fails with one code.
fn failing(code: &'static str) -> impl Fn(&Call) -> Value + Send + Sync + 'static {
    move |_| json!({"data": null, "errors": [{"message": "select secret", "extensions": {"code": code}}]})
}
