//! One client of the single connection mode.

use anyhow::{Context as _, bail, ensure};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::{
    events::{ACCEPT, Event, Events},
    target::Caller,
};

/// The header that names a stream.
pub(super) const TOKEN: &str = "x-graphql-event-stream-token";

/// An open stream.
#[derive(Debug)]
pub(super) struct Single {
    caller: Caller,
    pub(super) token: String,
    pub(super) events: Events,
}

/// Sends a request to the stream's URL.
pub(super) async fn ask(
    caller: &Caller,
    method: Method,
    token: Option<&str>,
    parameters: &[(&str, &str)],
    accept: &str,
) -> anyhow::Result<Response> {
    let url = caller.target.single.as_deref().context("no URL")?;
    let mut request = caller.request(method, url).query(parameters);
    if let Some(token) = token {
        request = request.header(TOKEN, token);
    }
    Ok(request.header("accept", accept).send().await?)
}

/// Reserves a stream: its token.
pub(super) async fn reserve(caller: &Caller) -> anyhow::Result<String> {
    let answer = ask(caller, Method::PUT, None, &[], "*/*").await?;
    ensure!(answer.status() == 201, "{} for 201", answer.status());
    let token = answer.text().await?;
    ensure!(!token.is_empty(), "an empty token");
    Ok(token)
}

/// Posts an operation with these extensions.
pub(super) async fn post(
    caller: &Caller,
    token: &str,
    query: &str,
    extensions: Value,
) -> anyhow::Result<Response> {
    let url = caller.target.single.as_deref().context("no URL")?;
    let request = caller.request(Method::POST, url).header(TOKEN, token);
    let body = json!({"query": query, "extensions": extensions});
    Ok(request.json(&body).send().await?)
}

impl Single {
    pub(super) async fn open(caller: &Caller) -> anyhow::Result<Self> {
        let token = reserve(caller).await?;
        Self::of(caller, token).await
    }

    /// Opens a reserved one.
    pub(super) async fn of(caller: &Caller, token: String) -> anyhow::Result<Self> {
        let answer = ask(caller, Method::GET, Some(&token), &[], ACCEPT).await?;
        Ok(Self {
            caller: caller.clone(),
            token,
            events: Events::of(answer)?,
        })
    }

    /// Starts an operation, which must be accepted.
    pub(super) async fn start(&self, id: &str, query: &str) -> anyhow::Result<()> {
        self.start_with(id, query, json!({})).await
    }

    pub(super) async fn start_with(
        &self,
        id: &str,
        query: &str,
        mut extensions: Value,
    ) -> anyhow::Result<()> {
        extensions["operationId"] = json!(id);
        let answer = post(&self.caller, &self.token, query, extensions).await?;
        let status = answer.status();
        ensure!(status == StatusCode::ACCEPTED, "{status} for 202");
        Ok(())
    }

    /// Starts an operation: the status.
    pub(super) async fn status(&self, id: &Value, query: &str) -> anyhow::Result<u16> {
        let extensions = json!({ "operationId": id });
        let answer = post(&self.caller, &self.token, query, extensions).await?;
        Ok(answer.status().as_u16())
    }

    /// Stops an operation.
    pub(super) async fn stop(&self, id: &str) -> anyhow::Result<u16> {
        let (caller, parameters) = (&self.caller, [("operationId", id)]);
        let token = Some(self.token.as_str());
        let answer = ask(caller, Method::DELETE, token, &parameters, "*/*").await?;
        Ok(answer.status().as_u16())
    }

    /// The next event, which must be `next` of this operation; its response.
    pub(super) async fn frame(&mut self, id: &str) -> anyhow::Result<Value> {
        let data = self.said("next").await?;
        ensure!(data["id"] == id, "{data} for next of {id}");
        Ok(data["payload"].clone())
    }

    /// The next event, which must be `complete` of this operation.
    pub(super) async fn completes(&mut self, id: &str) -> anyhow::Result<()> {
        let data = self.said("complete").await?;
        ensure!(data["id"] == id, "{data} for complete of {id}");
        Ok(())
    }

    async fn said(&mut self, name: &str) -> anyhow::Result<Value> {
        match self.events.next().await? {
            Some(event) if event.name == name => event.json(),
            Some(Event { name: other, data }) => bail!("{other} {data:?} for {name}"),
            None => bail!("the end came for {name}"),
        }
    }
}
