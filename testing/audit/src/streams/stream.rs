//! A stream over whichever transport: the next frame, and where it is.

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::{
    events::{self, Events},
    parts::{self, Parts},
    single::Single,
    socket::{Heard, Socket},
    target::Caller,
};

/// A transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    WebSocket,
    Sse,
    Multipart,
    Single,
}

/// An open stream.
#[derive(Debug)]
pub(super) enum Stream {
    WebSocket(Box<Socket>),
    Sse(Box<Events>),
    Multipart(Box<Parts>),
    Single(Box<Single>),
}

impl Stream {
    /// Opens the stream of an operation that resumes by `extensions.resume` where there is a cursor.
    pub(super) async fn open(
        caller: &Caller,
        transport: Transport,
        query: &str,
        resume: Option<&str>,
    ) -> anyhow::Result<Self> {
        let extensions = resume.map_or_else(|| json!({}), |cursor| json!({ "resume": cursor }));
        Self::open_with(caller, transport, query, extensions).await
    }

    /// Opens the stream of an operation with these extensions.
    pub(super) async fn open_with(
        caller: &Caller,
        transport: Transport,
        query: &str,
        extensions: Value,
    ) -> anyhow::Result<Self> {
        let body = json!({"query": query, "extensions": extensions});
        Ok(match transport {
            Transport::WebSocket => {
                let mut socket = Socket::greeted(caller).await?;
                let subscribe = json!({"id": "s", "type": "subscribe", "payload": body});
                socket.say(&subscribe).await?;
                Self::WebSocket(Box::new(socket))
            }
            Transport::Sse => {
                let response = caller.post(events::ACCEPT, &body).await?;
                Self::Sse(Box::new(Events::of(response)?))
            }
            Transport::Multipart => {
                let parts = Parts::open_as(caller, parts::ACCEPT, &body).await?;
                Self::Multipart(Box::new(parts))
            }
            Transport::Single => {
                let single = Single::open(caller).await?;
                single.start_with("s", query, extensions).await?;
                Self::Single(Box::new(single))
            }
        })
    }

    /// The next response; an error when the stream is over or broke.
    pub(super) async fn frame(&mut self) -> anyhow::Result<Value> {
        match self {
            Self::WebSocket(socket) => match socket.hear().await? {
                Heard::Message(message) if message["type"] == "next" => {
                    Ok(message["payload"].clone())
                }
                Heard::Message(message) if message["type"] == "error" => {
                    Ok(json!({ "errors": message["payload"] }))
                }
                other => bail!("{other:?} for next"),
            },
            Self::Sse(events) => events.frame().await,
            Self::Multipart(parts) => {
                let part = parts.payload().await?;
                let payload = part.get("payload").context("a part without payload")?;
                Ok(if payload.is_null() {
                    part
                } else {
                    payload.clone()
                })
            }
            Self::Single(single) => single.frame("s").await,
        }
    }

    /// The next response's only field.
    pub(super) async fn event(&mut self) -> anyhow::Result<Value> {
        event(&self.frame().await?)
    }

    /// The next so many.
    pub(super) async fn events(&mut self, count: usize) -> anyhow::Result<Vec<Value>> {
        let mut events = Vec::new();
        while events.len() < count {
            let came = events.len();
            let event = self.event().await;
            events.push(event.with_context(|| format!("{came} of {count} events came"))?);
        }
        Ok(events)
    }
}

/// The only field of a response without errors.
pub(super) fn event(response: &Value) -> anyhow::Result<Value> {
    let data = response["data"].as_object();
    let field = data.and_then(|data| data.values().next());
    match field {
        Some(field) if response.get("errors").is_none() => Ok(field.clone()),
        _ => bail!("{response} for an event"),
    }
}
