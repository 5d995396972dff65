//! What is audited, and who asks it.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use anyhow::{Context as _, ensure};
use futures::future::BoxFuture;
use reqwest::{
    Client, RequestBuilder, Response,
    header::{AUTHORIZATION, HeaderMap, HeaderValue},
};
use serde_json::{Value, json};

/// What is asked of a router.
#[derive(Debug, Clone)]
pub struct Texts {
    /// A query that is answered.
    pub query: String,
    /// A subscription that does not end, and whose events differ.
    pub subscription: String,
    /// A mutation that causes events of it; without one they come by themselves.
    pub cause: Option<String>,
    /// Events of one cause.
    pub per_cause: usize,
    /// A subscription that ends by itself.
    pub finite: Option<String>,
    /// The field by whose value events are in order; without one they are in order altogether.
    pub key: Option<String>,
}

/// A router whose process the audit may end.
pub trait Router: Send + Sync + std::fmt::Debug {
    /// Ends it, by `kill -9` or so that it drains, and waits until it is back.
    fn end(&self, is_orderly: bool) -> BoxFuture<'_, anyhow::Result<()>>;
}

/// What is audited.
#[derive(Debug, Clone)]
pub struct Target {
    /// GraphQL over HTTP.
    pub url: String,
    /// GraphQL over WebSocket.
    pub socket: String,
    /// The single connection mode, if it is served.
    pub single: Option<String>,
    /// What is asked.
    pub texts: Texts,
    /// Headers of every request.
    pub headers: HeaderMap,
    /// The payload of `connection_init`.
    pub init: Value,
    /// Its process.
    pub router: Option<Arc<dyn Router>>,
    /// Where tokens of a marketplace's demo issuer come from.
    pub issuer: Option<String>,
    http: Client,
}

/// Somebody who asks.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) target: Arc<Target>,
    pub(super) init: Value,
    headers: HeaderMap,
}

const ORDER: &str =
    r#"mutation { createOrder(input: {lines: [{sku: "139275865", count: 1}]}) { order { id } } }"#;
const CANCEL: &str =
    "mutation($id: ID!) { cancelOrder(input: {orderId: $id}) { userErrors { code } } }";

impl Target {
    /// A marketplace at this address, `http://host:port`.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn marketplace(base: &str) -> anyhow::Result<Self> {
        let texts = Texts {
            query: "{ __typename }".to_owned(),
            subscription: "subscription { myOrderEvents { kind orderId version status } }"
                .to_owned(),
            cause: Some(ORDER.to_owned()),
            per_cause: 2,
            finite: None,
            key: Some("orderId".to_owned()),
        };
        let mut target = Self::foreign(&format!("{base}/graphql"), texts)?;
        target.single = Some(format!("{base}/graphql/stream"));
        target.issuer = Some(format!("{base}/demo/token"));
        Ok(target)
    }

    /// Another router, by the URL of its GraphQL.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn foreign(url: &str, texts: Texts) -> anyhow::Result<Self> {
        let socket = url.replacen("http", "ws", 1);
        Ok(Self {
            url: url.to_owned(),
            socket,
            single: None,
            texts,
            headers: HeaderMap::new(),
            init: Value::Null,
            router: None,
            issuer: None,
            // A connection for each stream, as clients that are not browsers have them.
            http: Client::builder().http1_only().build()?,
        })
    }

    pub(super) const fn is_marketplace(&self) -> bool {
        self.issuer.is_some()
    }

    /// Somebody; in a marketplace nobody whom there was before.
    pub(super) async fn caller(self: &Arc<Self>) -> anyhow::Result<Caller> {
        let mut headers = self.headers.clone();
        let mut init = self.init.clone();
        if let Some(issuer) = &self.issuer {
            let request = self.http.post(issuer);
            let answer = request.json(&json!({"user": new_user()})).send().await?;
            let answer: Value = answer.json().await?;
            let token = answer["token"].as_str().context("no token")?;
            let bearer = format!("Bearer {token}");
            headers.insert(AUTHORIZATION, HeaderValue::from_str(&bearer)?);
            init = json!({"authorization": bearer});
        }
        Ok(Caller {
            target: Arc::clone(self),
            init,
            headers,
        })
    }
}

fn new_user() -> String {
    static NEXT: AtomicI64 = AtomicI64::new(0);
    let first = i64::from(std::process::id()) * 1_000_000;
    (2_000_000_000 + first + NEXT.fetch_add(1, Ordering::Relaxed)).to_string()
}

impl Caller {
    /// The same, without rights.
    pub(super) fn nobody(&self) -> Self {
        Self {
            target: Arc::clone(&self.target),
            init: Value::Null,
            headers: self.target.headers.clone(),
        }
    }

    pub(super) fn subscription(&self) -> &str {
        &self.target.texts.subscription
    }

    pub(super) fn query(&self) -> &str {
        &self.target.texts.query
    }

    /// A request of this caller's.
    pub(super) fn request(&self, method: reqwest::Method, url: &str) -> RequestBuilder {
        let request = self.target.http.request(method, url);
        request.headers(self.headers.clone())
    }

    /// Posts a body with this `accept`.
    pub(super) async fn post(&self, accept: &str, body: &Value) -> anyhow::Result<Response> {
        let request = self.request(reqwest::Method::POST, &self.target.url);
        Ok(request.header("accept", accept).json(body).send().await?)
    }

    /// Gets with these parameters.
    pub(super) async fn get(
        &self,
        accept: &str,
        parameters: &[(&str, &str)],
    ) -> anyhow::Result<Response> {
        let request = self.request(reqwest::Method::GET, &self.target.url);
        let request = request.query(parameters).header("accept", accept);
        Ok(request.send().await?)
    }

    async fn ask(&self, query: &str, variables: Value) -> anyhow::Result<Value> {
        let body = json!({"query": query, "variables": variables});
        let answer: Value = self.post("application/json", &body).await?.json().await?;
        ensure!(
            answer.get("errors").is_none(),
            "{query} is answered {answer}"
        );
        Ok(answer["data"].clone())
    }

    /// Causes events.
    pub(super) async fn cause(&self) -> anyhow::Result<()> {
        if let Some(cause) = &self.target.texts.cause {
            self.ask(cause, Value::Null).await?;
        }
        Ok(())
    }

    /// A subscription that is about to end, and what ends it.
    pub(super) async fn finite(&self) -> anyhow::Result<(String, Option<String>)> {
        if let Some(text) = &self.target.texts.finite {
            return Ok((text.clone(), None));
        }
        let made = self.ask(ORDER, Value::Null).await?;
        let id = made["createOrder"]["order"]["id"].as_str();
        let id = id.context("no order")?.to_owned();
        let text = format!(r#"subscription {{ orderEvents(orderId: "{id}") {{ kind version }} }}"#);
        Ok((text, Some(id)))
    }

    /// Ends what [`Caller::finite`] began.
    pub(super) async fn finish(&self, id: Option<&str>) -> anyhow::Result<()> {
        if let Some(id) = id {
            self.ask(CANCEL, json!({"id": id})).await?;
        }
        Ok(())
    }
}
