//! A client that does not read.

use std::time::Duration;

use schema::event::OrderStatus;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
};

use super::{
    client::{Frame, LIMIT, Sse, parse},
    shop::Shop,
};

const QUERY: &str =
    "subscription { myOrderEvents { kind orderId version order { lines { product { name } } } } }";
const ORDERS: i64 = 200;

/// Frames of 64 KiB fill the socket's buffers; the client takes nothing until it is given up. What it then finds is a
/// beginning of the stream without a hole, whose last cursor brings the rest. Seen red with a frame dropped when the channel
/// is full.
#[tokio::test]
async fn a_client_that_takes_nothing_is_closed_and_loses_nothing() {
    let shop = Shop::with(|config| {
        config.stream.slow_client_timeout = Duration::from_millis(700);
    })
    .await;
    shop.orders.pad_names(64 * 1024);
    let token = shop.token(1);
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    let mut socket = socket.connect(shop.service.address).await.unwrap();
    let body = json!({ "query": QUERY }).to_string();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\ncontent-type: application/json\r\n\
         authorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(socket.read_u8().await.unwrap());
    }
    for id in 1..=ORDERS {
        shop.change(id, 1, OrderStatus::New).await;
    }
    testkit::eventually("the stream is given up", LIMIT, async || {
        let text = chassis::telemetry::metrics_text();
        text.contains("marketplace_router_slow_clients_total 1")
            .then_some(())
    })
    .await;
    let frames = read_all(&mut socket).await;
    assert!(
        i64::try_from(frames.len()).unwrap() < ORDERS,
        "the buffers held everything"
    );
    let last = frames.last().expect("frames");
    assert_eq!(last.event, "next", "a completion is the end for its client");
    let cursor = last.id.as_deref();

    let mut rest = Sse::open(&shop, &token, QUERY, cursor).await;
    let left = usize::try_from(ORDERS).unwrap() - frames.len();
    let mut ids: Vec<String> = frames.iter().map(order_id).collect();
    ids.extend(rest.take(left).await.iter().map(order_id));
    ids.sort_by_key(|id| id.parse::<i64>().unwrap());
    let expected: Vec<String> = (1..=ORDERS).map(|id| id.to_string()).collect();
    assert_eq!(ids, expected);
    drop((rest, socket));
    shop.stop().await;
}

fn order_id(frame: &Frame) -> String {
    frame.data["data"]["myOrderEvents"]["orderId"]
        .as_str()
        .expect("an order")
        .to_owned()
}

/// Reads a chunked body until it breaks off; a frame that is not whole is none.
async fn read_all(socket: &mut tokio::net::TcpStream) -> Vec<Frame> {
    let mut raw = Vec::new();
    let mut body = Vec::new();
    loop {
        let mut part = vec![0; 65536];
        let read = tokio::time::timeout(LIMIT, socket.read(&mut part));
        let count = read.await.expect("in time").unwrap_or_default();
        raw.extend_from_slice(&part[..count]);
        while let Some((chunk, used)) = chunk(&raw) {
            assert!(
                !chunk.is_empty(),
                "a body that ends is a stream that is over"
            );
            body.extend_from_slice(&chunk);
            raw.drain(..used);
        }
        if count == 0 {
            let text = String::from_utf8(body).expect("text");
            let whole = text.rsplit_once("\n\n").map_or("", |(whole, _)| whole);
            return whole.split("\n\n").filter_map(parse).collect();
        }
    }
}

fn chunk(raw: &[u8]) -> Option<(Vec<u8>, usize)> {
    let end = raw.windows(2).position(|pair| pair == b"\r\n")?;
    let size = usize::from_str_radix(std::str::from_utf8(&raw[..end]).ok()?, 16).ok()?;
    let from = end + 2;
    let chunk = raw.get(from..from + size)?;
    raw.get(from + size..from + size + 2)?;
    Some((chunk.to_vec(), from + size + 2))
}
