//! Sockets by the byte: messages in any pieces, and what is answered below the subprotocol.
//!
//! Source: RFC 6455, 5.4 (fragments), 5.5 (control frames), 7.1 (closing).

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::shop::Shop;

const PATIENCE: Duration = Duration::from_secs(20);

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;
/// The last fragment.
const FIN: u8 = 0x80;

/// A client that writes its own frames.
struct Raw(TcpStream);

impl Raw {
    async fn connect(shop: &Shop) -> Self {
        let mut socket = TcpStream::connect(shop.service.address)
            .await
            .expect("connected");
        let head = "GET /graphql HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                    Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n";
        socket.write_all(head.as_bytes()).await.expect("written");
        let mut text = Vec::new();
        while !text.ends_with(b"\r\n\r\n") {
            text.push(socket.read_u8().await.expect("a byte"));
        }
        let text = String::from_utf8(text).expect("text");
        assert!(
            text.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            "RFC 6455, 1.3: {text}"
        );
        Self(socket)
    }

    async fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("written");
    }

    /// The next frame: its first byte and its payload.
    async fn frame(&mut self) -> (u8, Vec<u8>) {
        let read = async {
            let first = self.0.read_u8().await?;
            let length = match self.0.read_u8().await? {
                126 => usize::from(self.0.read_u16().await?),
                length => usize::from(length),
            };
            let mut payload = vec![0; length];
            self.0.read_exact(&mut payload).await?;
            std::io::Result::Ok((first, payload))
        };
        timeout(PATIENCE, read)
            .await
            .expect("in time")
            .expect("a frame")
    }

    async fn text(&mut self) -> Value {
        let (first, payload) = self.frame().await;
        assert_eq!(first, FIN | TEXT);
        serde_json::from_slice(&payload).expect("JSON")
    }
}

/// A frame with a mask that is not nothing.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [7, 0, 255, 1];
    let mut bytes = vec![first];
    match u8::try_from(payload.len()) {
        Ok(length @ 0..=125) => bytes.push(0x80 | length),
        _ => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(payload.len()).expect("short").to_be_bytes());
        }
    }
    bytes.extend(MASK);
    let masked = payload.iter().zip(MASK.iter().cycle());
    bytes.extend(masked.map(|(byte, mask)| byte ^ mask));
    bytes
}

fn ping(number: usize) -> Value {
    json!({"type": "ping", "payload": {"number": number}})
}

fn pong(number: usize) -> Value {
    json!({"type": "pong", "payload": {"number": number}})
}

/// Meant against a buffer that is let go of with something in it. Seen red where one was let go of after each message.
#[tokio::test]
async fn messages_come_in_any_pieces() {
    let shop = Shop::start().await;
    let mut raw = Raw::connect(&shop).await;
    let message = |number| ping(number).to_string().into_bytes();

    // Several at once.
    let several: Vec<u8> = (0..5)
        .flat_map(|number| frame(FIN | TEXT, &message(number)))
        .collect();
    raw.write(&several).await;
    for number in 0..5 {
        assert_eq!(raw.text().await, pong(number));
    }
    // One and a half, and the rest later.
    let two = [
        frame(FIN | TEXT, &message(5)),
        frame(FIN | TEXT, &message(6)),
    ]
    .concat();
    let (early, late) = two.split_at(two.len() - 9);
    raw.write(early).await;
    assert_eq!(raw.text().await, pong(5));
    raw.write(late).await;
    assert_eq!(raw.text().await, pong(6));
    // Byte by byte.
    for byte in frame(FIN | TEXT, &message(7)) {
        raw.write(&[byte]).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(raw.text().await, pong(7));
    // In fragments, with a ping of the protocol below between them.
    let text = message(8);
    let (first, second) = text.split_at(11);
    raw.write(&frame(TEXT, first)).await;
    raw.write(&frame(FIN | PING, b"there?")).await;
    assert_eq!(raw.frame().await, (FIN | PONG, b"there?".to_vec()));
    raw.write(&frame(FIN | CONTINUATION, second)).await;
    assert_eq!(raw.text().await, pong(8));
    // Longer than what is read at once.
    let padding = "x".repeat(5_000);
    let long = json!({"type": "ping", "payload": {"padding": padding}});
    raw.write(&frame(FIN | TEXT, long.to_string().as_bytes()))
        .await;
    assert_eq!(raw.text().await["payload"]["padding"], padding);
    shop.stop().await;
}

/// Both sides say that they close, and then the socket ends. Seen red where the answer to a close waited for the next read.
#[tokio::test]
async fn a_close_is_answered_and_the_socket_ends() {
    let shop = Shop::start().await;
    let mut raw = Raw::connect(&shop).await;
    raw.write(&frame(FIN | CLOSE, &1000_u16.to_be_bytes()))
        .await;
    assert_eq!(
        raw.frame().await,
        (FIN | CLOSE, 1000_u16.to_be_bytes().to_vec())
    );
    let mut rest = Vec::new();
    let ended = timeout(PATIENCE, raw.0.read_to_end(&mut rest)).await;
    assert_eq!(ended.expect("in time").unwrap(), 0);

    // What the client still sends to a socket that closes does not reset it, which would take the reason along.
    let mut raw = Raw::connect(&shop).await;
    let bad = frame(FIN | TEXT, b"{");
    raw.write(&[bad, vec![0; 40_000]].concat()).await;
    let (first, payload) = raw.frame().await;
    assert_eq!(
        (first, &payload[..2]),
        (FIN | CLOSE, &4400_u16.to_be_bytes()[..])
    );
    shop.stop().await;
}

/// What is no opening handshake is refused as HTTP, and says why.
#[tokio::test]
async fn a_handshake_that_is_none_is_refused() {
    let shop = Shop::start().await;
    let whole = [
        "Connection: keep-alive, Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    for (missing, status) in [
        (None, "101"),
        (Some(0), "400"),
        (Some(2), "400"),
        (Some(3), "400"),
    ] {
        let mut socket = TcpStream::connect(shop.service.address).await.unwrap();
        let lines = whole.iter().enumerate();
        let lines = lines.filter(|(number, _)| Some(*number) != missing);
        let lines: String = lines.map(|(_, line)| format!("{line}\r\n")).collect();
        let head = format!("GET /graphql HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n");
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        socket.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer[9..], status.as_bytes(), "without {missing:?}");
    }
    shop.stop().await;
}
