//! Every route of the OpenAPI documents, for every caller: the older clients' REST, which knows no tokens and believes whom a call
//! names, and the product service, which wants its key. A page of another origin writes nowhere, and on loopback no listener answers
//! to a name that is not its own.

use anyhow::Context as _;
use futures::StreamExt as _;
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    caller,
    cell::{CONCURRENCY, Cell, PAUSE, TRIES},
};
use crate::stack::Stack;

const OWNER: i64 = 5_021;
const KEY_HEADER: &str = "x-api-key";
/// The key of the demo's product service. Source: docs/contracts.md §2.
const KEY: &str = "testToken";

/// A document, and the ports of the interface that it describes.
const DOCUMENTS: [(&str, &str, &[u16]); 4] = [
    (
        "cart",
        include_str!("../../../../schema/openapi/cart.json"),
        &[8080],
    ),
    (
        "loms",
        include_str!("../../../../schema/openapi/loms.json"),
        &[8084, 8081],
    ),
    (
        "comments",
        include_str!("../../../../schema/openapi/comments.json"),
        &[8086],
    ),
    (
        "product",
        include_str!("../../../../schema/openapi/product.json"),
        &[8082],
    ),
];

/// Who is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Policy {
    /// Everybody, as the user whom the call names; but pages of another origin change nothing.
    Named,
    /// Whoever has the key.
    Key,
}

use Policy::{Key, Named};

/// A route of a document, who is served, the path with the owner's things in place of USER, ORDER, CANCELLED and COMMENT, and the
/// body in the same way.
const ROUTES: [(&str, Policy, &str, &str); 19] = [
    (
        "POST /user/{user_id}/cart/{sku_id}",
        Named,
        "/user/USER/cart/1076963",
        r#"{"count": 1}"#,
    ),
    (
        "DELETE /user/{user_id}/cart/{sku_id}",
        Named,
        "/user/USER/cart/1076963",
        "",
    ),
    ("GET /user/{user_id}/cart", Named, "/user/USER/cart", ""),
    ("DELETE /user/{user_id}/cart", Named, "/user/USER/cart", ""),
    ("POST /checkout/{user_id}", Named, "/checkout/USER", ""),
    (
        "POST /cart/checkout",
        Named,
        "/cart/checkout",
        r#"{"user": USER}"#,
    ),
    (
        "POST /cart/checkout/{user_id}",
        Named,
        "/cart/checkout/USER",
        "",
    ),
    (
        "POST /order/create",
        Named,
        "/order/create",
        r#"{"userId": "USER", "items": [{"sku": "139275865", "count": 1}]}"#,
    ),
    ("GET /order/info", Named, "/order/info?orderId=ORDER", ""),
    (
        "POST /order/pay",
        Named,
        "/order/pay",
        r#"{"orderId": "ORDER"}"#,
    ),
    (
        "POST /order/cancel",
        Named,
        "/order/cancel",
        r#"{"orderId": "CANCELLED"}"#,
    ),
    ("GET /stock/info", Named, "/stock/info?sku=139275865", ""),
    (
        "POST /comment/add",
        Named,
        "/comment/add",
        r#"{"userId": "USER", "sku": "139275865", "comment": "of the matrix"}"#,
    ),
    (
        "POST /comment/get-by-id",
        Named,
        "/comment/get-by-id",
        r#"{"id": "COMMENT"}"#,
    ),
    (
        "POST /comment/edit",
        Named,
        "/comment/edit",
        r#"{"userId": "USER", "commentId": "COMMENT", "newComment": "edited"}"#,
    ),
    (
        "POST /comment/list-by-sku",
        Named,
        "/comment/list-by-sku",
        r#"{"sku": "139275865"}"#,
    ),
    (
        "POST /comment/list-by-user",
        Named,
        "/comment/list-by-user",
        r#"{"userId": "USER"}"#,
    ),
    ("GET /product", Key, "/product?count=1", ""),
    ("GET /product/{sku}", Key, "/product/1076963", ""),
];

#[derive(Debug)]
struct Route {
    name: String,
    port: u16,
    policy: Policy,
    method: Method,
    path: String,
    body: String,
}

/// What makes a caller another one here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A program; what it says about itself in a token is nothing here.
    Program,
    /// A browser with a page of another origin.
    Page,
    /// A browser with a page whose name points here.
    Rebound,
}

#[derive(Debug)]
struct Sender {
    name: String,
    kind: Kind,
    key: Option<&'static str>,
    header: Option<(&'static str, String)>,
}

/// Tries every cell.
///
/// # Errors
/// When a route has no policy, or the owner's things cannot be made.
pub(super) async fn run(stack: &Stack, is_loopback: bool) -> anyhow::Result<Vec<Cell>> {
    let routes = routes(stack).await?;
    let senders = senders(stack).await?;
    let mut cells = Vec::new();
    for route in &routes {
        let fits = |it: &&Sender| it.key.is_none() || route.policy == Key;
        cells.extend(senders.iter().filter(fits).map(|sender| (route, sender)));
    }
    let tried = futures::stream::iter(cells).map(|(route, sender)| async move {
        let answer = send(stack, route, sender).await;
        // The product service stays on loopback.
        let is_rebound = sender.kind == Kind::Rebound && (is_loopback || route.policy == Key);
        let is_right = match &answer {
            Ok((status, is_shared)) => {
                !is_shared && expected(route, sender, is_rebound).contains(status)
            }
            Err(_) => false,
        };
        Cell::new("REST", is_right, || {
            let (name, port, policy) = (&route.name, route.port, route.policy);
            format!(
                "{name} on {port}, {}, on loopback {is_loopback}: {answer:?}, policy {policy:?}",
                sender.name
            )
        })
    });
    Ok(tried.buffer_unordered(CONCURRENCY).collect().await)
}

/// What a caller may be answered.
fn expected(route: &Route, sender: &Sender, is_rebound: bool) -> &'static [StatusCode] {
    // A cart may be empty, or emptied by the cell beside this one.
    const SERVED: &[StatusCode] = &[
        StatusCode::OK,
        StatusCode::NO_CONTENT,
        StatusCode::NOT_FOUND,
    ];
    if is_rebound {
        return &[StatusCode::MISDIRECTED_REQUEST];
    }
    match route.policy {
        Key if sender.key == Some(KEY) => SERVED,
        Key => &[StatusCode::UNAUTHORIZED],
        Named if sender.kind == Kind::Page && route.method != Method::GET => {
            &[StatusCode::FORBIDDEN]
        }
        Named => SERVED,
    }
}

/// The status, and whether a page of another origin may read the answer. Sent again while the marketplace has no room for it.
async fn send(
    stack: &Stack,
    route: &Route,
    sender: &Sender,
) -> Result<(StatusCode, bool), reqwest::Error> {
    for _ in 1..TRIES {
        let seen = send_once(stack, route, sender).await?;
        if seen.0 != StatusCode::SERVICE_UNAVAILABLE {
            return Ok(seen);
        }
        sleep(PAUSE).await;
    }
    send_once(stack, route, sender).await
}

async fn send_once(
    stack: &Stack,
    route: &Route,
    sender: &Sender,
) -> Result<(StatusCode, bool), reqwest::Error> {
    let url = format!("{}{}", stack.url(route.port), route.path);
    let mut request = stack.http.request(route.method.clone(), url);
    if !route.body.is_empty() {
        request = request
            .header(header::CONTENT_TYPE, "application/json")
            .body(route.body.clone());
    }
    if let Some(key) = sender.key {
        request = request.header(KEY_HEADER, key);
    }
    if let Some((name, value)) = &sender.header {
        request = request.header(*name, value);
    }
    let response = request.send().await?;
    let headers = response.headers();
    let is_shared = headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN);
    Ok((response.status(), is_shared))
}

async fn senders(stack: &Stack) -> anyhow::Result<Vec<Sender>> {
    let program = |name: &str, key, header| Sender {
        name: name.to_owned(),
        kind: Kind::Program,
        key,
        header,
    };
    let mut senders = Vec::new();
    for person in caller::persons(stack, OWNER).await? {
        let bearer = ("authorization", format!("Bearer {}", person.token));
        let header = (!person.token.is_empty()).then_some(bearer);
        senders.push(program(person.name, None, header));
    }
    let (_, token) = stack.service_token().context("no service's key")?;
    let token = ("x-service-token", token.to_str()?.to_owned());
    senders.push(program("the router", None, Some(token)));
    senders.push(program("with the key", Some(KEY), None));
    senders.push(program("with another key", Some("anotherToken"), None));
    let foreign = [
        (Kind::Page, "origin", "http://evil.example"),
        (Kind::Page, "origin", "null"),
        (Kind::Page, "sec-fetch-site", "cross-site"),
        (Kind::Page, "sec-fetch-site", "same-site"),
        (Kind::Rebound, "host", "evil.example"),
        (Kind::Rebound, "host", "localhost.evil.example:8080"),
    ];
    for (kind, name, value) in foreign {
        senders.push(Sender {
            name: format!("a page with {name} {value}"),
            kind,
            key: None,
            header: Some((name, value.to_owned())),
        });
        senders.push(Sender {
            name: format!("a page with the key and {name} {value}"),
            kind,
            key: Some(KEY),
            header: Some((name, value.to_owned())),
        });
    }
    Ok(senders)
}

/// Every route of every document, on every port.
async fn routes(stack: &Stack) -> anyhow::Result<Vec<Route>> {
    let filled = fill(stack).await?;
    let mut routes = Vec::new();
    for (document, text, ports) in DOCUMENTS {
        let described: Value = serde_json::from_str(text)?;
        let paths = described["paths"].as_object().context("no paths")?;
        for (path, operations) in paths {
            let operations = operations.as_object().context("no operations")?;
            for method in operations.keys().filter_map(|it| verb(it)) {
                let name = format!("{method} {path}");
                let known = ROUTES.iter().find(|(known, ..)| *known == name);
                let (_, policy, path, body) = known.with_context(|| {
                    format!("{name} of {document} has no policy: add it to the matrix")
                })?;
                routes.extend(ports.iter().map(|port| Route {
                    name: name.clone(),
                    port: *port,
                    policy: *policy,
                    method: method.clone(),
                    path: filled(path),
                    body: filled(body),
                }));
            }
        }
    }
    Ok(routes)
}

/// The method of an operation of a document; `None` for what stands beside the operations.
fn verb(name: &str) -> Option<Method> {
    let verbs = [
        "get", "put", "post", "delete", "patch", "options", "head", "trace",
    ];
    verbs
        .contains(&name)
        .then(|| name.to_uppercase().parse().ok())?
}

/// Makes what the routes need, and puts it into their texts.
async fn fill(stack: &Stack) -> anyhow::Result<impl Fn(&str) -> String> {
    let order = json!({"userId": OWNER.to_string(), "items": [{"sku": "139275865", "count": 1}]});
    let comment = json!({"userId": OWNER.to_string(), "sku": "139275865", "comment": "first"});
    let paid = create(stack, 8084, "/order/create", &order, "orderId").await?;
    let cancelled = create(stack, 8084, "/order/create", &order, "orderId").await?;
    let comment = create(stack, 8086, "/comment/add", &comment, "id").await?;
    Ok(move |text: &str| {
        text.replace("USER", &OWNER.to_string())
            .replace("ORDER", &paid)
            .replace("CANCELLED", &cancelled)
            .replace("COMMENT", &comment)
    })
}

async fn create(
    stack: &Stack,
    port: u16,
    path: &str,
    body: &Value,
    member: &str,
) -> anyhow::Result<String> {
    let request = stack.http.post(format!("{}{path}", stack.url(port)));
    let answer: Value = request.json(body).send().await?.json().await?;
    let id = answer[member].as_str().map(str::to_owned);
    id.with_context(|| format!("{path} made nothing: {answer}"))
}
