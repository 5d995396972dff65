//! One client of each kind, connected and in the middle of something.

use std::net::SocketAddr;
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{SinkExt as _, StreamExt as _};
use marketplace::settings::Settings;
use schema::proto::loms::{StocksInfoRequest, loms_client::LomsClient};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tonic::transport::Channel;

const SKU: &str = "139275865";
const WATCH: &str = "subscription { allOrderEvents { orderId version } }";

/// Connections that stay open until this is dropped.
pub(crate) struct Clients {
    _http: reqwest::Client,
    _events: BoxStream<'static, reqwest::Result<tokio_util::bytes::Bytes>>,
    _socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    _grpc: LomsClient<Channel>,
}

impl Clients {
    /// Connects them all; one buys something, so that every service has worked.
    pub(crate) async fn connect(settings: &Settings) -> Self {
        let http = reqwest::Client::new();
        let router = settings.router.listen;
        let buyer = token(&http, router, false).await;
        let operator = token(&http, router, true).await;
        let events = http
            .post(graphql_url(router))
            .bearer_auth(&operator)
            .header("accept", "text/event-stream")
            .json(&json!({"query": WATCH}));
        let mut events = events.send().await.unwrap().bytes_stream().boxed();
        let socket = watch_by_socket(router, &operator).await;
        buy(&http, router, &buyer).await;
        // Both streams carry what was bought.
        let chunk = tokio::time::timeout(Duration::from_secs(20), events.next());
        chunk.await.expect("an event in time").unwrap().unwrap();
        let rest = settings.router.rest.cart_listen;
        let cart = http.get(format!("http://{rest}/user/7/cart")).send().await;
        assert!(cart.is_ok(), "{cart:?}");
        Self {
            _grpc: ask_stock(settings.loms.grpc_listen).await,
            _http: http,
            _events: events,
            _socket: socket,
        }
    }
}

async fn token(http: &reqwest::Client, router: SocketAddr, ops: bool) -> String {
    let request = http.post(format!("http://{router}/demo/token"));
    let answer = request.json(&json!({"user": "7", "ops": ops})).send().await;
    let answer: Value = answer.unwrap().json().await.unwrap();
    answer["token"].as_str().expect("a token").to_owned()
}

async fn buy(http: &reqwest::Client, router: SocketAddr, token: &str) {
    for operation in [
        format!(
            r#"mutation {{ addToCart(input: {{sku: "{SKU}", count: 1}}) {{ userErrors {{ code }} }} }}"#
        ),
        "mutation { checkout { order { id } userErrors { code } } }".to_owned(),
        "{ me { orders { nodes { id lines { product { name } } } } } }".to_owned(),
    ] {
        let request = http.post(graphql_url(router)).bearer_auth(token);
        let answer = request.json(&json!({"query": operation})).send().await;
        let answer: Value = answer.unwrap().json().await.unwrap();
        assert!(answer.get("errors").is_none(), "{operation}: {answer}");
    }
}

async fn watch_by_socket(
    router: SocketAddr,
    token: &str,
) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
    let mut request = format!("ws://{router}/graphql")
        .into_client_request()
        .unwrap();
    let protocol = "graphql-transport-ws".parse().unwrap();
    request
        .headers_mut()
        .insert("sec-websocket-protocol", protocol);
    let (mut socket, _) = connect_async(request).await.unwrap();
    let bearer = format!("Bearer {token}");
    for message in [
        json!({"type": "connection_init", "payload": {"authorization": bearer}}),
        json!({"id": "1", "type": "subscribe", "payload": {"query": WATCH}}),
    ] {
        let text = Message::text(message.to_string());
        socket.send(text).await.unwrap();
    }
    let acknowledged = socket.next().await.unwrap().unwrap();
    assert!(acknowledged.to_text().unwrap().contains("connection_ack"));
    socket
}

async fn ask_stock(address: SocketAddr) -> LomsClient<Channel> {
    let mut loms = LomsClient::connect(format!("http://{address}"))
        .await
        .unwrap();
    let sku = SKU.parse().unwrap();
    loms.stocks_info(StocksInfoRequest { sku }).await.unwrap();
    loms
}

fn graphql_url(router: SocketAddr) -> String {
    format!("http://{router}/graphql")
}
