//! The REST interfaces of the compatibility shim, the product service and the admin port.

use rand::{Rng as _, rngs::StdRng};
use reqwest::{Method, header};
use serde_json::{Map, Value, json};

use super::{
    graphql,
    outcome::Outcome,
    text::{bytes, chance, damage, pick, string},
};
use crate::stack::Stack;

/// Port, method and path; `{}` becomes a value.
const ROUTES: [(u16, Method, &str); 28] = [
    (8080, Method::POST, "/user/{}/cart/{}"),
    (8080, Method::DELETE, "/user/{}/cart/{}"),
    (8080, Method::DELETE, "/user/{}/cart"),
    (8080, Method::GET, "/user/{}/cart"),
    (8080, Method::POST, "/checkout/{}"),
    (8080, Method::POST, "/cart/checkout"),
    (8084, Method::POST, "/order/create"),
    (8084, Method::GET, "/order/info?orderId={}"),
    (8084, Method::POST, "/order/pay"),
    (8084, Method::POST, "/order/cancel"),
    (8084, Method::GET, "/stock/info?sku={}"),
    (8081, Method::POST, "/order/create"),
    (8081, Method::GET, "/stock/info?sku={}"),
    (8086, Method::POST, "/comment/add"),
    (8086, Method::POST, "/comment/edit"),
    (8086, Method::POST, "/comment/get-by-id"),
    (8086, Method::POST, "/comment/list-by-sku"),
    (8086, Method::POST, "/comment/list-by-user"),
    (8082, Method::GET, "/product/{}"),
    (8082, Method::GET, "/product?count={}&start_after_sku={}"),
    (8082, Method::POST, "/get_product"),
    (8082, Method::POST, "/list_skus"),
    (4000, Method::POST, "/demo/token"),
    (4000, Method::GET, "/{}"),
    (4001, Method::GET, "/{}"),
    (4001, Method::GET, "/metrics"),
    (8080, Method::GET, "/{}"),
    (8086, Method::GET, "/{}"),
];

/// The members of the interfaces' bodies.
const MEMBERS: [&str; 20] = [
    "userId",
    "user_id",
    "user",
    "orderId",
    "order_id",
    "sku",
    "count",
    "comment",
    "comment_id",
    "commentId",
    "new_comment",
    "newComment",
    "id",
    "items",
    "token",
    "startAfterSku",
    "ops",
    "cursor",
    "limit",
    "unknown",
];

/// One request.
pub(super) async fn request(random: &mut StdRng, stack: &Stack) -> Outcome {
    let (port, method, path) = pick(random, &ROUTES);
    let path = fill(random, path);
    let method = if chance(random, 3) {
        Method::PATCH
    } else {
        method.clone()
    };
    let body = body(random);
    let told = format!("{method} :{port}{path} {}", String::from_utf8_lossy(&body));
    let url = format!("{}{path}", stack.url(*port));
    let mut request = stack.http.request(method.clone(), url);
    if method != Method::GET {
        request = request.body(body);
    }
    if chance(random, 10) {
        let names = [
            "idempotency-key",
            "content-type",
            "content-encoding",
            "traceparent",
            "origin",
            "sec-fetch-site",
        ];
        let value = if chance(random, 50) {
            string(random).into_bytes()
        } else {
            bytes(random, 300)
        };
        if let Ok(value) = header::HeaderValue::from_bytes(&value) {
            request = request.header(*pick(random, &names), value);
        }
    }
    if *port == 8082 {
        request = request.header("x-api-key", "testToken");
    }
    graphql::judge(request, "rest", &told).await
}

fn fill(random: &mut StdRng, path: &str) -> String {
    let mut filled = String::new();
    for (number, part) in path.split("{}").enumerate() {
        if number > 0 {
            let value = if chance(random, 60) {
                random.random_range(1..5_000).to_string()
            } else {
                string(random)
            };
            // A client's library escapes what no URL may hold; the rest goes as it is.
            filled.extend(value.bytes().map(|byte| match byte {
                b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' => {
                    char::from(byte).to_string()
                }
                other => format!("%{other:02X}"),
            }));
        }
        filled.push_str(part);
    }
    filled
}

fn body(random: &mut StdRng) -> Vec<u8> {
    if chance(random, 5) {
        return bytes(random, 200);
    }
    let mut members = Map::new();
    for _ in 0..random.random_range(0..5) {
        members.insert((*pick(random, &MEMBERS)).to_owned(), value(random, 0));
    }
    let body = Value::Object(members).to_string().into_bytes();
    if chance(random, 10) {
        damage(random, body)
    } else {
        body
    }
}

fn value(random: &mut StdRng, depth: u32) -> Value {
    match random.random_range(0..12) {
        0..4 => json!(random.random_range(0..5_000)),
        4 => json!(random.random::<i64>()),
        5 => json!(random.random::<f64>()),
        6 => Value::Null,
        7 => json!(random.random::<bool>()),
        8 if depth < 3 => {
            let length = *pick(random, &[0, 1, 2, 30]);
            (0..length).map(|_| value(random, depth + 1)).collect()
        }
        9 if depth < 3 => {
            json!({"sku": value(random, depth + 1), "count": value(random, depth + 1)})
        }
        10 => json!(random.random_range(1..5_000).to_string()),
        _ => json!(string(random)),
    }
}
