//! One operation over one transport, and what its caller saw.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use reqwest::{RequestBuilder, header};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest as _, http::HeaderValue},
};

use super::cell::{PAUSE, TRIES};
use crate::stack::Stack;

/// How long a stream that says nothing is watched: then it is open.
const PATIENCE: Duration = Duration::from_millis(700);
const LIMIT: Duration = Duration::from_secs(20);

/// How an operation is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Transport {
    Post,
    Get,
    Sse,
    Multipart,
    WebSocket,
    /// A subgraph's own port, where nobody but the router is answered.
    Subgraph,
}

/// What a caller saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// Something.
    Served,
    /// Nothing, and not why.
    Hidden,
    Unauthenticated,
    Forbidden,
    /// Nothing was done for the moment.
    Busy,
    /// Neither data nor a refusal that says so.
    Odd,
}

impl Transport {
    pub(super) const ALL: [Self; 6] = [
        Self::Post,
        Self::Get,
        Self::Sse,
        Self::Multipart,
        Self::WebSocket,
        Self::Subgraph,
    ];

    /// For the count.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Post => "GraphQL, POST",
            Self::Get => "GraphQL, GET",
            Self::Sse => "server-sent events",
            Self::Multipart => "multipart",
            Self::WebSocket => "WebSocket",
            Self::Subgraph => "a subgraph's port",
        }
    }

    /// Whether it takes such an operation.
    pub(super) const fn carries(self, is_query: bool, is_stream: bool) -> bool {
        match self {
            Self::Post | Self::Subgraph => !is_stream,
            Self::Get => is_query,
            Self::Sse | Self::Multipart => is_stream,
            Self::WebSocket => true,
        }
    }

    /// Sends an operation, again while the marketplace has no room for it: all cells of a change want the same rows.
    pub(super) async fn send(self, stack: &Stack, token: &str, text: &str) -> Seen {
        for _ in 1..TRIES {
            let seen = self.send_once(stack, token, text).await;
            if seen != Seen::Busy {
                return seen;
            }
            sleep(PAUSE).await;
        }
        self.send_once(stack, token, text).await
    }

    async fn send_once(self, stack: &Stack, token: &str, text: &str) -> Seen {
        let graphql = format!("{}/graphql", stack.url(4000));
        let body = json!({"query": text});
        let post = || stack.http.post(&graphql).json(&body);
        let request = match self {
            Self::Post => post(),
            Self::Get => stack.http.get(&graphql).query(&[("query", text)]),
            Self::Sse => post().header(header::ACCEPT, "text/event-stream"),
            Self::Multipart => post().header(
                header::ACCEPT,
                "multipart/mixed;subscriptionSpec=1.0, application/json",
            ),
            Self::WebSocket => return websocket(stack, token, text).await,
            Self::Subgraph => {
                let url = format!("{}/graphql", stack.url(4102));
                let seen = http(stack.http.post(url).json(&body), token).await;
                // Refused is right for everybody, so it is what each caller must see; the rest is as the policy has it.
                return if seen == Seen::Unauthenticated {
                    seen
                } else {
                    Seen::Odd
                };
            }
        };
        http(request, token).await
    }
}

async fn http(mut request: RequestBuilder, token: &str) -> Seen {
    if !token.is_empty() {
        request = request.bearer_auth(token);
    }
    let Ok(Ok(mut response)) = timeout(LIMIT, request.send()).await else {
        return Seen::Odd;
    };
    let is_stream = (response.headers().get(header::CONTENT_TYPE)).is_some_and(|it| {
        it.as_bytes().starts_with(b"text/event") || it.as_bytes().starts_with(b"multipart")
    });
    let limit = if is_stream { PATIENCE } else { LIMIT };
    let mut body = Vec::new();
    let mut is_open = false;
    loop {
        match timeout(limit, response.chunk()).await {
            Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
            Ok(Ok(None)) => break,
            Ok(Err(_)) => return Seen::Odd,
            Err(_) => {
                is_open = true;
                break;
            }
        }
        if is_stream && first_json(&body).is_some() {
            break;
        }
    }
    match first_json(&body) {
        Some(answer) => judge(&answer),
        None if is_open => Seen::Served,
        None => Seen::Odd,
    }
}

/// The first whole object with data or errors in a body, whatever is around it.
fn first_json(body: &[u8]) -> Option<Value> {
    let starts = body.iter().enumerate().filter(|(_, byte)| **byte == b'{');
    starts.take(8).find_map(|(at, _)| {
        let mut values = serde_json::Deserializer::from_slice(&body[at..]).into_iter::<Value>();
        let value = values.next()?.ok()?;
        let value = if value.get("payload").is_some() {
            value["payload"].clone()
        } else {
            value
        };
        let is_answer = value.get("data").is_some()
            || value.get("errors").is_some()
            || value.get("code").is_some();
        is_answer.then_some(value)
    })
}

fn judge(answer: &Value) -> Seen {
    let errors = answer["errors"].as_array().cloned().unwrap_or_default();
    let codes = errors
        .iter()
        .filter_map(|error| error["extensions"]["code"].as_str());
    let mut codes = codes.chain(answer["code"].as_str());
    match codes.next() {
        Some("UNAUTHENTICATED") => Seen::Unauthenticated,
        Some("FORBIDDEN") => Seen::Forbidden,
        Some("NOT_FOUND") => Seen::Hidden,
        Some("OVERLOADED" | "UNAVAILABLE" | "DEADLINE_EXCEEDED") => Seen::Busy,
        Some(_) => Seen::Odd,
        None => match &answer["data"] {
            Value::Object(fields) if fields.values().all(Value::is_null) => Seen::Hidden,
            Value::Object(_) => Seen::Served,
            _ => Seen::Odd,
        },
    }
}

async fn websocket(stack: &Stack, token: &str, text: &str) -> Seen {
    let request = format!("ws://{}/graphql", stack.address(4000)).into_client_request();
    let Ok(mut request) = request else {
        return Seen::Odd;
    };
    let protocol = HeaderValue::from_static("graphql-transport-ws");
    request
        .headers_mut()
        .insert("sec-websocket-protocol", protocol);
    let Ok(Ok((mut socket, _))) = timeout(LIMIT, connect_async(request)).await else {
        return Seen::Odd;
    };
    let payload = if token.is_empty() {
        json!({})
    } else {
        json!({"authorization": format!("Bearer {token}")})
    };
    let init = json!({"type": "connection_init", "payload": payload});
    let subscribe = json!({"type": "subscribe", "id": "1", "payload": {"query": text}});
    for message in [init, subscribe] {
        if socket
            .send(Message::text(message.to_string()))
            .await
            .is_err()
        {
            break;
        }
    }
    let is_stream = text.starts_with("subscription");
    let mut is_acknowledged = false;
    loop {
        let limit = if is_stream && is_acknowledged {
            PATIENCE
        } else {
            LIMIT
        };
        let Ok(message) = timeout(limit, socket.next()).await else {
            return if is_stream { Seen::Served } else { Seen::Odd };
        };
        match message {
            Some(Ok(Message::Close(Some(frame))))
                if matches!(u16::from(frame.code), 4401 | 4403) =>
            {
                return Seen::Unauthenticated;
            }
            Some(Ok(Message::Text(text))) => {
                let message: Value = serde_json::from_str(&text).unwrap_or_default();
                match message["type"].as_str() {
                    Some("next") => return judge(&message["payload"]),
                    Some("error") => return judge(&json!({"errors": message["payload"]})),
                    Some("connection_ack") => is_acknowledged = true,
                    Some("complete") => return Seen::Hidden,
                    _ => {}
                }
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Seen::Odd,
        }
    }
}
