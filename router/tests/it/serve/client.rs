//! Small clients: one SSE stream as frames, one WebSocket.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest},
};

use super::shop::Shop;

pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// One block of an event stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Frame {
    pub(crate) id: Option<String>,
    pub(crate) event: String,
    pub(crate) data: Value,
}

impl Frame {
    /// The version of a subscription frame of any of the three fields.
    pub(crate) fn version(&self) -> i64 {
        self.event_object()["version"].as_i64().unwrap_or(-1)
    }

    pub(crate) fn kind(&self) -> &str {
        self.event_object()["kind"].as_str().unwrap_or_default()
    }

    fn event_object(&self) -> &Value {
        let data = &self.data["data"];
        data.as_object()
            .and_then(|data| data.values().next())
            .unwrap_or(&Value::Null)
    }

    pub(crate) fn code(&self) -> &str {
        self.data["errors"][0]["extensions"]["code"]
            .as_str()
            .unwrap_or_default()
    }
}

/// An open event stream.
pub(crate) struct Sse {
    response: Response,
    text: String,
    /// What `EventSource` would send as `Last-Event-ID` now.
    pub(crate) last_id: Option<String>,
    /// How long it would wait, in milliseconds, before it connects again.
    pub(crate) retry: Option<u64>,
    /// Comments that say something.
    pub(crate) comments: Vec<String>,
    /// Whether the body broke off rather than end.
    pub(crate) is_broken: bool,
}

impl Sse {
    pub(crate) async fn open(shop: &Shop, token: &str, query: &str, last: Option<&str>) -> Self {
        Self::request(shop, token, &json!({ "query": query }), last).await
    }

    pub(crate) async fn open_with(
        shop: &Shop,
        token: &str,
        query: &str,
        variables: &Value,
    ) -> Self {
        let body = json!({"query": query, "variables": variables});
        Self::request(shop, token, &body, None).await
    }

    async fn request(shop: &Shop, token: &str, body: &Value, last: Option<&str>) -> Self {
        let mut request = reqwest::Client::new()
            .post(shop.url())
            .header("accept", "text/event-stream")
            .json(body);
        // Without a token it is nobody in particular who asks.
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.expect("answers");
        assert_eq!(response.status(), StatusCode::OK);
        Self {
            response,
            text: String::new(),
            last_id: None,
            retry: None,
            comments: Vec::new(),
            is_broken: false,
        }
    }

    /// A header of the response.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// Reads until the stream's beginning is known.
    pub(crate) async fn opened(mut self) -> Self {
        while self.retry.is_none() {
            let chunk = tokio::time::timeout(LIMIT, self.response.chunk()).await;
            let chunk = chunk.expect("in time").expect("not cut").expect("more");
            self.text.push_str(&String::from_utf8_lossy(&chunk));
            while self.retry.is_none()
                && let Some((block, rest)) = self.text.split_once("\n\n")
            {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.read_block(&block);
                self.text = rest;
            }
        }
        self
    }

    fn read_block(&mut self, block: &str) -> Option<Frame> {
        for line in block.lines() {
            match line.split_once(':') {
                Some(("", said)) if !said.is_empty() => self.comments.push(said.trim().to_owned()),
                Some(("id", id)) => self.last_id = Some(id.trim().to_owned()),
                Some(("retry", pause)) => self.retry = pause.trim().parse().ok(),
                _ => {}
            }
        }
        parse(block)
    }

    /// The next frame; heartbeats are passed. `None` when the body ended or broke off.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        tokio::time::timeout(LIMIT, self.read())
            .await
            .expect("a frame in time")
    }

    /// Waits until the place to resume from is another one, without a frame; gives it.
    pub(crate) async fn moves_on(&mut self) -> String {
        let before = self.last_id.clone();
        let deadline = tokio::time::Instant::now() + LIMIT;
        while self.last_id == before {
            let chunk = tokio::time::timeout_at(deadline, self.response.chunk()).await;
            let chunk = chunk.expect("in time").expect("not cut").expect("more");
            self.text.push_str(&String::from_utf8_lossy(&chunk));
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                assert_eq!(self.read_block(&block), None, "no frame");
            }
        }
        self.last_id.clone().expect("a place")
    }

    /// Waits until the body breaks off, for this reason and without another frame.
    pub(crate) async fn breaks_off(&mut self, code: &str) {
        assert_eq!(self.next().await, None);
        assert!(self.is_broken, "a body that ends is a stream that is over");
        assert_eq!(self.comments, [code]);
    }

    async fn read(&mut self) -> Option<Frame> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                let frame = self.read_block(&block);
                if frame.is_some() {
                    return frame;
                }
            }
            match self.response.chunk().await {
                Ok(chunk) => self.text.push_str(&String::from_utf8_lossy(&chunk?)),
                Err(_) => {
                    self.is_broken = true;
                    return None;
                }
            }
        }
    }

    pub(crate) async fn take(&mut self, count: usize) -> Vec<Frame> {
        let mut frames = Vec::new();
        while frames.len() < count {
            frames.push(self.next().await.expect("a frame"));
        }
        frames
    }
}

pub(crate) fn parse(block: &str) -> Option<Frame> {
    let mut frame = Frame {
        id: None,
        event: String::new(),
        data: Value::Null,
    };
    for line in block.lines() {
        match line
            .split_once(": ")
            .unwrap_or((line.trim_end_matches(':'), ""))
        {
            ("id", id) => frame.id = Some(id.to_owned()),
            ("event", event) => event.clone_into(&mut frame.event),
            ("data", data) => frame.data = serde_json::from_str(data).unwrap_or(Value::Null),
            _ => {}
        }
    }
    (!frame.event.is_empty()).then_some(frame)
}

/// A WebSocket, before or after its handshake.
pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub(crate) async fn connect(shop: &Shop, protocol: Option<&'static str>) -> Self {
        let url = format!("ws://{}/graphql", shop.service.address);
        let mut request = url.into_client_request().expect("a request");
        if let Some(protocol) = protocol {
            request
                .headers_mut()
                .insert("sec-websocket-protocol", protocol.parse().expect("plain"));
        }
        Self(
            tokio_tungstenite::connect_async(request)
                .await
                .expect("connects")
                .0,
        )
    }

    /// Connected, and acknowledged for the caller.
    pub(crate) async fn greeted(shop: &Shop, token: &str) -> Self {
        Self::greeted_with(shop, json!({"authorization": format!("Bearer {token}")}))
            .await
            .0
    }

    /// Connected, and acknowledged for who the payload says; and the acknowledgement's payload.
    pub(crate) async fn greeted_with(shop: &Shop, payload: Value) -> (Self, Value) {
        let mut socket = Self::connect(shop, Some("graphql-transport-ws")).await;
        socket
            .say(json!({"type": "connection_init", "payload": payload}))
            .await;
        let ack = socket.hear().await;
        assert_eq!(ack["type"], "connection_ack", "{ack}");
        (socket, ack["payload"].clone())
    }

    pub(crate) async fn say(&mut self, message: Value) {
        self.send(Message::text(message.to_string())).await;
    }

    pub(crate) async fn send(&mut self, message: Message) {
        self.0.send(message).await.expect("sent");
    }

    pub(crate) async fn subscribe(&mut self, id: &str, query: &str, extensions: Value) {
        let payload = json!({"query": query, "extensions": extensions});
        self.say(json!({"id": id, "type": "subscribe", "payload": payload}))
            .await;
    }

    /// The next message of the protocol.
    pub(crate) async fn hear(&mut self) -> Value {
        // One deadline for all of it: heartbeats must not keep a lost message waiting.
        let deadline = tokio::time::Instant::now() + LIMIT;
        loop {
            let message = tokio::time::timeout_at(deadline, self.0.next()).await;
            match message.expect("a message in time") {
                Some(Ok(Message::Text(text))) => {
                    return serde_json::from_str(text.as_str()).expect("JSON");
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("expected a message, got {other:?}"),
            }
        }
    }

    /// The code with which the server closes; messages before it are passed.
    pub(crate) async fn close_code(&mut self) -> u16 {
        self.closed().await.0
    }

    /// The code and the reason with which the server closes, and the messages before.
    pub(crate) async fn closed(&mut self) -> (u16, String, Vec<Value>) {
        let mut before = Vec::new();
        let deadline = tokio::time::Instant::now() + LIMIT;
        loop {
            let message = tokio::time::timeout_at(deadline, self.0.next()).await;
            match message.expect("closed in time") {
                Some(Ok(Message::Close(Some(frame)))) => {
                    return (frame.code.into(), frame.reason.to_string(), before);
                }
                Some(Ok(Message::Text(text))) => {
                    before.push(serde_json::from_str(text.as_str()).expect("JSON"));
                }
                Some(Ok(_)) => {}
                other => panic!("expected a close frame, got {other:?}"),
            }
        }
    }
}
