//! GraphQL by POST, GET, SSE, multipart and WebSocket, and the subgraphs' own ports.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use rand::{Rng as _, rngs::StdRng};
use reqwest::{Method, RequestBuilder, Response, header};
use serde_json::{Map, Value, json};
use tokio::time::timeout;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{
        Error, Message, client::IntoClientRequest as _, error::ProtocolError, http::HeaderValue,
    },
};

use super::{
    outcome::Outcome,
    schema::{Operation, Schema, without_marks},
    text::{bytes, chance, damage, pick, string},
};
use crate::stack::Stack;

/// How long a response that may be a stream is read.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long any other may take.
const LIMIT: Duration = Duration::from_secs(20);
/// The subprotocol that the router speaks.
const PROTOCOL: &str = "graphql-transport-ws";
/// What is read of a response.
const MAX_READ: usize = 1 << 20;

/// Makes and judges GraphQL requests.
pub(super) struct GraphqlFuzz {
    schema: Schema,
    tokens: [String; 4],
}

impl GraphqlFuzz {
    /// Callers of each kind.
    ///
    /// # Errors
    /// When there are no tokens.
    pub(super) async fn new(stack: &Stack, schema: Schema) -> anyhow::Result<Self> {
        let tokens = [
            String::new(),
            stack.token(4242, false).await?,
            stack.token(4343, true).await?,
            "eyJhbGciOiJFZERTQSJ9.e30.AAAA".to_owned(),
        ];
        Ok(Self { schema, tokens })
    }

    fn operation(&self, random: &mut StdRng) -> Operation {
        let root = match random.random_range(0..20) {
            0..13 => "Query",
            13..19 => "Mutation",
            _ => "Subscription",
        };
        let mut operation = self.schema.operation(random, root);
        if chance(random, 12) {
            let damaged = damage(random, operation.text.into_bytes());
            operation.text = String::from_utf8_lossy(&damaged).into_owned();
        }
        operation
    }

    fn body(&self, random: &mut StdRng) -> Map<String, Value> {
        let operation = self.operation(random);
        let mut body = Map::new();
        body.insert("query".into(), operation.text.into());
        body.insert(
            "variables".into(),
            without_marks(Value::Object(operation.variables)),
        );
        if chance(random, 5) {
            let member = *pick(
                random,
                &["operationName", "variables", "extensions", "query", "id"],
            );
            let value = match random.random_range(0..4) {
                0 => Value::Null,
                1 => json!([]),
                2 => {
                    json!({"persistedQuery": {"version": 1, "sha256Hash": string(random)}, "resume": string(random)})
                }
                _ => json!(string(random)),
            };
            body.insert(member.into(), value);
        }
        body
    }

    /// One request to the router.
    pub(super) async fn http(&self, random: &mut StdRng, stack: &Stack) -> Outcome {
        let url = format!("{}/graphql", stack.url(4000));
        self.send(random, stack, &url, "graphql").await
    }

    /// One request to a subgraph's own port.
    pub(super) async fn subgraph(&self, random: &mut StdRng, stack: &Stack) -> Outcome {
        let url = format!("{}/graphql", stack.url(*pick(random, &[4101, 4102, 4103])));
        self.send(random, stack, &url, "subgraph").await
    }

    async fn send(
        &self,
        random: &mut StdRng,
        stack: &Stack,
        url: &str,
        interface: &'static str,
    ) -> Outcome {
        let body = Value::Object(self.body(random));
        let sent = body.to_string();
        let request = if chance(random, 10) {
            let text = |name: &str| match &body[name] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let query = [("query", text("query")), ("variables", text("variables"))];
            stack.http.get(url).query(&query)
        } else {
            let bytes = sent.clone().into_bytes();
            let bytes = if chance(random, 5) {
                damage(random, bytes)
            } else {
                bytes
            };
            let method = if chance(random, 1) {
                Method::PUT
            } else {
                Method::POST
            };
            stack.http.request(method, url).body(bytes)
        };
        let mut request = self.with_headers(random, request);
        if interface == "subgraph"
            && chance(random, 80)
            && let Some((name, value)) = stack.service_token()
        {
            request = request.header(name, value);
        }
        judge(request, interface, &sent).await
    }

    fn with_headers(&self, random: &mut StdRng, mut request: RequestBuilder) -> RequestBuilder {
        let token = pick(random, &self.tokens);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        let content = match random.random_range(0..30) {
            0 => "text/plain",
            1 => "application/graphql",
            2 => "application/json; charset=utf-16",
            3 => "nonsense",
            _ => "application/json",
        };
        request = request.header(header::CONTENT_TYPE, content);
        let accept = match random.random_range(0..20) {
            0 | 1 => "text/event-stream",
            2 => "multipart/mixed;subscriptionSpec=1.0, application/json",
            3 => "image/png",
            4 => "nonsense",
            5 => "*/*",
            _ => "application/graphql-response+json",
        };
        request = request.header(header::ACCEPT, accept);
        let names = [
            "idempotency-key",
            "traceparent",
            "last-event-id",
            "content-encoding",
            "origin",
            "x-forwarded-for",
        ];
        if chance(random, 10) {
            let value = if chance(random, 50) {
                string(random).into_bytes()
            } else {
                bytes(random, 300)
            };
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                request = request.header(*pick(random, &names), value);
            }
        }
        request
    }

    /// One connection with a few messages.
    pub(super) async fn websocket(&self, random: &mut StdRng, stack: &Stack) -> Outcome {
        let url = format!("ws://{}/graphql", stack.address(4000));
        let mut request = url.into_client_request().expect("a URL of ours");
        let others = ["graphql-ws", "x"];
        let is_ours = chance(random, 60);
        let protocol = if is_ours {
            PROTOCOL
        } else {
            *pick(random, &others)
        };
        let offered = HeaderValue::from_static(protocol);
        (request.headers_mut()).insert("sec-websocket-protocol", offered);
        let messages = self.messages(random);
        let Ok(connected) = timeout(LIMIT, connect_async(request)).await else {
            return Outcome::new("websocket", "late").fault(true, || "no handshake".to_owned());
        };
        let mut socket = match connected {
            Ok((socket, _)) => socket,
            Err(error) => return no_handshake(is_ours, &error),
        };
        for message in &messages {
            if socket.send(message.clone()).await.is_err() {
                break;
            }
        }
        let mut answer = "open".to_owned();
        let mut fault = None;
        while let Ok(Some(Ok(message))) = timeout(PATIENCE, socket.next()).await {
            match message {
                Message::Text(text) if is_internal(&text) => fault = Some(text.to_string()),
                Message::Close(Some(frame)) => answer = format!("closed {}", u16::from(frame.code)),
                _ => {}
            }
        }
        let is_fault = fault.is_some() || answer == "closed 1011";
        Outcome::new("websocket", answer).fault(is_fault, || format!("{messages:?} -> {fault:?}"))
    }

    fn messages(&self, random: &mut StdRng) -> Vec<Message> {
        let token = pick(random, &self.tokens).clone();
        let payload = match random.random_range(0..8) {
            0 => json!(string(random)),
            1 => json!({"authorization": string(random)}),
            2 => Value::Null,
            _ if token.is_empty() => json!({}),
            _ => json!({"authorization": format!("Bearer {token}")}),
        };
        let mut messages = vec![json!({"type": "connection_init", "payload": payload}).to_string()];
        for _ in 0..random.random_range(0..4) {
            let id = pick(random, &["1", "2", ""]);
            messages.push(match random.random_range(0..8) {
                0 => json!({"type": string(random)}).to_string(),
                1 => json!({"type": "complete", "id": id}).to_string(),
                2 => json!({"type": "ping", "payload": string(random)}).to_string(),
                3 => string(random),
                _ => {
                    json!({"type": "subscribe", "id": id, "payload": self.body(random)}).to_string()
                }
            });
        }
        if chance(random, 10) {
            messages.remove(0);
        }
        let mut messages: Vec<Message> = messages.into_iter().map(Message::text).collect();
        if chance(random, 5) {
            messages.push(Message::binary(bytes(random, 64)));
        }
        messages
    }
}

/// A handshake fails when the client offers no protocol of ours, which it finds out itself, or when there is no room.
fn no_handshake(is_ours: bool, error: &Error) -> Outcome {
    let (answer, is_justified) = match error {
        Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(_)) => {
            ("other protocol".to_owned(), !is_ours)
        }
        Error::Http(response) => {
            let status = response.status();
            let is_for_now = status == 503 && response.headers().contains_key(header::RETRY_AFTER);
            (status.as_str().to_owned(), is_for_now)
        }
        _ => ("no handshake".to_owned(), false),
    };
    Outcome::new("websocket", answer).fault(!is_justified, || format!("{error}"))
}

/// Sends a request and judges its response.
pub(super) async fn judge(request: RequestBuilder, interface: &'static str, sent: &str) -> Outcome {
    let response = match timeout(LIMIT, request.send()).await {
        Err(_) => {
            return Outcome::new(interface, "late").fault(true, || format!("no answer to {sent}"));
        }
        // What cannot be made a request is not sent.
        Ok(Err(error)) if error.is_builder() => return Outcome::new(interface, "not sent"),
        Ok(Err(error)) => {
            return Outcome::new(interface, "cut").fault(true, || format!("{error:?} for {sent}"));
        }
        Ok(Ok(response)) => response,
    };
    let status = response.status().as_u16();
    let is_refusal_for_now = status == 503 && response.headers().contains_key(header::RETRY_AFTER);
    let is_fault = (status >= 500 && !is_refusal_for_now && status != 501)
        // The gateways answer a wrong method so, and nothing else.
        || (status == 501 && interface != "rest");
    let body = read(response).await;
    let is_internal = is_internal(&body);
    Outcome::new(interface, status.to_string()).fault(is_fault || is_internal, || {
        format!("{status} {} for {sent}", start(&body))
    })
}

async fn read(mut response: Response) -> String {
    let mut body = Vec::new();
    while let Ok(Ok(Some(chunk))) = timeout(PATIENCE, response.chunk()).await {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_READ {
            break;
        }
    }
    String::from_utf8_lossy(&body).into_owned()
}

/// Whether a body tells of a fault of ours.
fn is_internal(body: &str) -> bool {
    body.contains(r#""code":"INTERNAL""#) || body.contains(r#""code":13"#)
}

fn start(text: &str) -> String {
    text.chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::{error::SubProtocolError, http};

    use super::*;

    /// Seen red with every handshake that fails taken for a client's fault.
    #[test]
    fn a_handshake_may_fail_for_the_clients_protocol_and_for_want_of_room_alone() {
        let is_fault = |is_ours, error: &Error| no_handshake(is_ours, error).fault.is_some();
        let unknown = ProtocolError::SecWebSocketSubProtocolError(SubProtocolError::NoSubProtocol);
        let unknown = Error::Protocol(unknown);
        assert!(!is_fault(false, &unknown));
        assert!(is_fault(true, &unknown));
        let refused = |status: u16, names: &[&str]| {
            let mut response = http::Response::builder().status(status);
            for name in names {
                response = response.header(*name, "1");
            }
            Error::Http(Box::new(response.body(None).unwrap()))
        };
        assert!(!is_fault(true, &refused(503, &["retry-after"])));
        for (status, names) in [(503, &[][..]), (500, &["retry-after"]), (404, &[])] {
            assert!(is_fault(true, &refused(status, names)), "{status}");
        }
        assert!(is_fault(false, &Error::ConnectionClosed));
    }
}
