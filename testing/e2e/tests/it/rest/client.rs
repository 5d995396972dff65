//! A client of the three surfaces that knows nothing but HTTP and JSON.

use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use anyhow::{Context, ensure};
use reqwest::{Method, header::HeaderMap};
use serde_json::{Value, json};

/// Where the surfaces are.
#[derive(Debug, Clone)]
pub(crate) struct Bases {
    /// Cart, for instance `http://127.0.0.1:8080`.
    pub(crate) cart: String,
    /// The LOMS gateway.
    pub(crate) loms: String,
    /// The comments gateway.
    pub(crate) comments: String,
}

impl Bases {
    /// The bases that `CART`, `LOMS` and `COMMENTS` name; nothing when `CART` is not set.
    pub(crate) fn from_environment() -> Option<Self> {
        #[expect(clippy::disallowed_methods, reason = "the interface of make contract")]
        let base = |name: &str, port: u16| match std::env::var(name) {
            Ok(base) => base.trim_end_matches('/').to_owned(),
            Err(_) => format!("http://127.0.0.1:{port}"),
        };
        #[expect(clippy::disallowed_methods, reason = "the interface of make contract")]
        std::env::var_os("CART")?;
        Some(Self {
            cart: base("CART", 8080),
            loms: base("LOMS", 8084),
            comments: base("COMMENTS", 8086),
        })
    }
}

/// One of the three surfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Surface {
    Cart,
    Loms,
    Comments,
}

/// An answer, read whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Answer {
    /// Demands a status.
    pub(super) fn is(&self, status: u16) -> anyhow::Result<&Self> {
        ensure!(
            self.status == status,
            "status {} instead of {status}: {}",
            self.status,
            self.text
        );
        Ok(self)
    }

    /// Demands a gateway's error: status and gRPC code, and the three members of its body.
    pub(super) fn is_code(&self, status: u16, code: u8) -> anyhow::Result<()> {
        let body = self.is(status)?.json()?;
        ensure!(
            body["code"] == json!(code),
            "code {} instead of {code}",
            body["code"]
        );
        ensure!(
            body["message"].is_string() && body["details"].is_array(),
            "error body {body}"
        );
        Ok(())
    }

    pub(super) fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.text).with_context(|| format!("no JSON: {:?}", self.text))
    }
}

/// The surfaces under test, and users that nobody used before.
#[derive(Debug)]
pub(super) struct Shop {
    http: reqwest::Client,
    bases: Bases,
    next_user: AtomicI64,
}

impl Shop {
    pub(super) fn new(bases: Bases) -> Self {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(20));
        // A run against a shop that already served one must not meet its users again.
        let start = RandomState::new().hash_one("users") >> 2;
        Self {
            http: http.build().expect("a client without TLS settings"),
            bases,
            next_user: AtomicI64::new(i64::try_from(start).unwrap_or(1).max(1)),
        }
    }

    /// A user without a past.
    pub(super) fn user(&self) -> i64 {
        self.next_user.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) async fn send(
        &self,
        surface: Surface,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> anyhow::Result<Answer> {
        let base = match surface {
            Surface::Cart => &self.bases.cart,
            Surface::Loms => &self.bases.loms,
            Surface::Comments => &self.bases.comments,
        };
        let mut request = self.http.request(method, format!("{base}{path}"));
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer {
            status,
            headers,
            text: response.text().await?,
        })
    }

    // Cart.

    pub(super) async fn add(&self, user: i64, sku: i64, count: u32) -> anyhow::Result<Answer> {
        let body = json!({"count": count}).to_string();
        self.send(
            Surface::Cart,
            Method::POST,
            &format!("/user/{user}/cart/{sku}"),
            Some(body),
        )
        .await
    }

    pub(super) async fn list(&self, user: i64) -> anyhow::Result<Answer> {
        self.send(
            Surface::Cart,
            Method::GET,
            &format!("/user/{user}/cart"),
            None,
        )
        .await
    }

    pub(super) async fn clear(&self, user: i64) -> anyhow::Result<Answer> {
        self.send(
            Surface::Cart,
            Method::DELETE,
            &format!("/user/{user}/cart"),
            None,
        )
        .await
    }

    pub(super) async fn remove(&self, user: i64, sku: i64) -> anyhow::Result<Answer> {
        self.send(
            Surface::Cart,
            Method::DELETE,
            &format!("/user/{user}/cart/{sku}"),
            None,
        )
        .await
    }

    pub(super) async fn checkout(&self, user: i64) -> anyhow::Result<Answer> {
        self.send(
            Surface::Cart,
            Method::POST,
            &format!("/checkout/{user}"),
            None,
        )
        .await
    }

    // LOMS.

    pub(super) async fn post(
        &self,
        surface: Surface,
        path: &str,
        body: Value,
    ) -> anyhow::Result<Answer> {
        self.send(surface, Method::POST, path, Some(body.to_string()))
            .await
    }

    /// Orders lines of (SKU, count).
    pub(super) async fn create(&self, user: i64, lines: &[(i64, u32)]) -> anyhow::Result<Answer> {
        let items = lines
            .iter()
            .map(|(sku, count)| json!({"sku": sku.to_string(), "count": count}));
        let items: Vec<_> = items.collect();
        let body = json!({"userId": user.to_string(), "items": items});
        self.post(Surface::Loms, "/order/create", body).await
    }

    /// Orders lines and demands that it works; the answer is the order's id.
    pub(super) async fn created(&self, user: i64, lines: &[(i64, u32)]) -> anyhow::Result<String> {
        let body = self.create(user, lines).await?.is(200)?.json()?;
        body["orderId"]
            .as_str()
            .map(str::to_owned)
            .context("orderId is no string")
    }

    pub(super) async fn info(&self, order: &str) -> anyhow::Result<Answer> {
        self.send(
            Surface::Loms,
            Method::GET,
            &format!("/order/info?orderId={order}"),
            None,
        )
        .await
    }

    /// Demands an order's status.
    pub(super) async fn has_status(&self, order: &str, status: &str) -> anyhow::Result<()> {
        let body = self.info(order).await?.is(200)?.json()?;
        ensure!(
            body["status"] == status,
            "order {order} is {} and not {status}",
            body["status"]
        );
        Ok(())
    }

    pub(super) async fn pay(&self, order: &str) -> anyhow::Result<Answer> {
        self.post(Surface::Loms, "/order/pay", json!({"orderId": order}))
            .await
    }

    pub(super) async fn cancel(&self, order: &str) -> anyhow::Result<Answer> {
        self.post(Surface::Loms, "/order/cancel", json!({"orderId": order}))
            .await
    }

    /// Free units of a SKU.
    pub(super) async fn free(&self, sku: i64) -> anyhow::Result<u32> {
        let path = format!("/stock/info?sku={sku}");
        let body = self
            .send(Surface::Loms, Method::GET, &path, None)
            .await?
            .is(200)?
            .json()?;
        let count = body["count"].as_u64().context("count is no number")?;
        Ok(u32::try_from(count)?)
    }

    // Comments.

    /// Adds a comment and demands that it works; the answer is the comment's id.
    pub(super) async fn commented(
        &self,
        user: i64,
        sku: i64,
        text: &str,
    ) -> anyhow::Result<String> {
        let body = json!({"user_id": user.to_string(), "sku": sku.to_string(), "comment": text});
        let body = self
            .post(Surface::Comments, "/comment/add", body)
            .await?
            .is(200)?
            .json()?;
        body["id"]
            .as_str()
            .map(str::to_owned)
            .context("id is no string")
    }

    pub(super) async fn edit(&self, user: i64, id: &str, text: &str) -> anyhow::Result<Answer> {
        let body = json!({"user_id": user.to_string(), "comment_id": id, "new_comment": text});
        self.post(Surface::Comments, "/comment/edit", body).await
    }
}
