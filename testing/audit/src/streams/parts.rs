//! One multipart stream. Source: RFC 2046, 5.1; Apollo's multipart protocol for subscriptions.

use anyhow::{Context as _, bail, ensure};
use reqwest::Response;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{case::WAIT, target::Caller};

/// What a client of multipart subscriptions accepts.
pub(super) const ACCEPT: &str = "multipart/mixed;subscriptionSpec=1.0, application/json";

/// An open stream.
#[derive(Debug)]
pub(super) struct Parts {
    response: Response,
    text: String,
    delimiter: String,
    /// The response's content type.
    pub(super) kind: String,
}

impl Parts {
    /// Opens the stream of an operation.
    pub(super) async fn open(caller: &Caller, query: &str) -> anyhow::Result<Self> {
        Self::open_as(caller, ACCEPT, &json!({ "query": query })).await
    }

    /// Opens the stream of a body, with this `accept`.
    pub(super) async fn open_as(
        caller: &Caller,
        accept: &str,
        body: &Value,
    ) -> anyhow::Result<Self> {
        let response = caller.post(accept, body).await?;
        let status = response.status();
        let kind = response.headers().get("content-type");
        let kind = kind.and_then(|it| it.to_str().ok()).unwrap_or_default();
        let kind = kind.to_owned();
        ensure!(
            status == 200 && kind.starts_with("multipart/mixed"),
            "{status} and {kind:?} for multipart"
        );
        let mut parameters = kind.split(';').map(str::trim);
        let boundary = parameters.find_map(|it| it.strip_prefix("boundary="));
        // Source: the protocol; without a parameter it is a dash.
        let delimiter = format!("--{}", boundary.unwrap_or("-").trim_matches('"'));
        Ok(Self {
            response,
            text: String::new(),
            delimiter,
            kind,
        })
    }

    /// The next part's JSON; `None` at the last boundary.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Value>> {
        timeout(WAIT, self.read()).await.context("no part came")?
    }

    /// The same, passing over signs of life.
    pub(super) async fn payload(&mut self) -> anyhow::Result<Value> {
        loop {
            match self.next().await? {
                Some(part) if part == json!({}) => {}
                Some(part) => return Ok(part),
                None => bail!("the end came for a part"),
            }
        }
    }

    async fn read(&mut self) -> anyhow::Result<Option<Value>> {
        loop {
            if let Some((_, rest)) = self.text.split_once(&self.delimiter) {
                if rest.starts_with("--") {
                    return Ok(None);
                }
                // A part is known to be whole by the boundary behind it.
                if let Some(end) = rest.find(&self.delimiter) {
                    let part = rest[..end].to_owned();
                    self.text = rest[end..].to_owned();
                    return Self::json(&part).map(Some);
                }
            }
            let chunk = self.response.chunk().await.context("the body broke off")?;
            let chunk = chunk.context("the body ended without a last boundary")?;
            self.text.push_str(&String::from_utf8_lossy(&chunk));
        }
    }

    fn json(part: &str) -> anyhow::Result<Value> {
        let (head, body) = part
            .split_once("\r\n\r\n")
            .context("a part without a head")?;
        let head = head.to_ascii_lowercase();
        ensure!(
            head.contains("content-type: application/json"),
            "{head:?} as a part's head"
        );
        Ok(serde_json::from_str(body.trim())?)
    }
}
