//! One WebSocket, by hand: what a client library would not do must be possible.

use anyhow::{Context as _, bail, ensure};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest as _},
};

use super::{
    case::{QUIET, WAIT},
    target::Caller,
};

/// The subprotocol.
pub(super) const PROTOCOL: &str = "graphql-transport-ws";

/// An open socket.
#[derive(Debug)]
pub(super) struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The subprotocol that the server chose.
    pub(super) protocol: Option<String>,
}

/// What came.
#[derive(Debug)]
pub(super) enum Heard {
    Message(Value),
    /// A WebSocket's own ping's answer.
    Pong,
    Closed(u16, String),
}

impl Socket {
    /// Connects and offers these subprotocols.
    pub(super) async fn connect(caller: &Caller, protocols: Option<&str>) -> anyhow::Result<Self> {
        let mut request = caller.target.socket.as_str().into_client_request()?;
        let headers = request.headers_mut();
        if let Some(protocols) = protocols {
            headers.insert("sec-websocket-protocol", protocols.parse()?);
        }
        let connecting = tokio_tungstenite::connect_async(request);
        let (stream, response) = timeout(WAIT, connecting).await.context("no handshake")??;
        let chosen = response.headers().get("sec-websocket-protocol");
        let protocol = chosen.and_then(|it| it.to_str().ok()).map(str::to_owned);
        Ok(Self { stream, protocol })
    }

    /// Connected and acknowledged.
    pub(super) async fn greeted(caller: &Caller) -> anyhow::Result<Self> {
        Ok(Self::greeting(caller).await?.0)
    }

    /// The same, and the acknowledgement.
    pub(super) async fn greeting(caller: &Caller) -> anyhow::Result<(Self, Value)> {
        let mut socket = Self::connect(caller, Some(PROTOCOL)).await?;
        socket.init(caller).await?;
        let ack = socket.message().await?;
        ensure!(ack["type"] == "connection_ack", "{ack} for connection_ack");
        Ok((socket, ack))
    }

    pub(super) async fn init(&mut self, caller: &Caller) -> anyhow::Result<()> {
        let init = match &caller.init {
            Value::Null => json!({"type": "connection_init"}),
            payload => json!({"type": "connection_init", "payload": payload}),
        };
        self.say(&init).await
    }

    pub(super) async fn say(&mut self, message: &Value) -> anyhow::Result<()> {
        self.send(Message::text(message.to_string())).await
    }

    pub(super) async fn send(&mut self, message: Message) -> anyhow::Result<()> {
        Ok(self.stream.send(message).await?)
    }

    pub(super) async fn subscribe(&mut self, id: &str, query: &str) -> anyhow::Result<()> {
        let payload = json!({"query": query});
        self.say(&json!({"id": id, "type": "subscribe", "payload": payload}))
            .await
    }

    pub(super) async fn complete(&mut self, id: &str) -> anyhow::Result<()> {
        self.say(&json!({"id": id, "type": "complete"})).await
    }

    /// The next that comes; pings of the server are answered and passed over.
    pub(super) async fn hear(&mut self) -> anyhow::Result<Heard> {
        timeout(WAIT, self.read()).await.context("nothing came")?
    }

    async fn read(&mut self) -> anyhow::Result<Heard> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => {
                    let message: Value = serde_json::from_str(&text)?;
                    if message["type"] == "ping" {
                        self.say(&json!({"type": "pong"})).await?;
                    } else {
                        return Ok(Heard::Message(message));
                    }
                }
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Ok(Heard::Closed(frame.code.into(), frame.reason.to_string()));
                }
                Some(Ok(Message::Close(None))) => return Ok(Heard::Closed(1005, String::new())),
                Some(Ok(Message::Pong(_))) => return Ok(Heard::Pong),
                Some(Ok(Message::Binary(_))) => bail!("a binary message came"),
                Some(Ok(Message::Ping(_) | Message::Frame(_))) => {}
                Some(Err(_)) | None => return Ok(Heard::Closed(1006, "cut".to_owned())),
            }
        }
    }

    /// The next message.
    pub(super) async fn message(&mut self) -> anyhow::Result<Value> {
        match self.hear().await? {
            Heard::Message(message) => Ok(message),
            other => bail!("{other:?} for a message"),
        }
    }

    /// The next message, which must have this type and id.
    pub(super) async fn expect(&mut self, kind: &str, id: &str) -> anyhow::Result<Value> {
        let message = self.message().await?;
        let is_it = message["type"] == kind && message["id"] == id;
        ensure!(is_it, "{message} for {kind} of {id}");
        Ok(message["payload"].clone())
    }

    /// The code and reason of the close frame; messages before it are passed over.
    pub(super) async fn closed(&mut self) -> anyhow::Result<(u16, String)> {
        loop {
            if let Heard::Closed(code, reason) = self.hear().await? {
                return Ok((code, reason));
            }
        }
    }

    /// Waits until it is closed by one of these codes.
    pub(super) async fn closes(&mut self, codes: &[u16]) -> anyhow::Result<String> {
        let (code, reason) = self.closed().await?;
        ensure!(
            codes.contains(&code),
            "closed by {code} ({reason}), right is {codes:?}"
        );
        Ok(format!("{code} {reason}"))
    }

    /// Looks that nothing comes for a while.
    pub(super) async fn is_quiet(&mut self) -> anyhow::Result<()> {
        match timeout(QUIET, self.read()).await {
            Err(_) => Ok(()),
            Ok(came) => bail!("{:?} came where nothing may", came?),
        }
    }

    /// Looks that the socket still answers: a ping brings the next message.
    pub(super) async fn lives(&mut self) -> anyhow::Result<()> {
        self.say(&json!({"type": "ping"})).await?;
        let pong = self.message().await?;
        ensure!(pong["type"] == "pong", "{pong} for pong");
        Ok(())
    }

    /// Leaves as a client does that needs nothing more.
    pub(super) async fn leave(mut self) -> anyhow::Result<()> {
        Ok(self.stream.close(None).await?)
    }
}
