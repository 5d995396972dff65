//! Whoever knocks at a port as no client of ours does: by another name, from another page, with half a request.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::shop::Shop;

/// Every port that speaks HTTP/1.1, with a path that answers.
const DOORS: [(u16, &str); 7] = [
    (4000, "/graphql?query=%7B__typename%7D"),
    (4001, "/livez"),
    (8080, "/debug/pprof/"),
    (8081, "/swagger.json"),
    (8082, "/swagger.json"),
    (8084, "/swagger.json"),
    (8086, "/swagger.json"),
];
/// Longer than any bound of a connection, on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends `text` and gives the status of the response; `None` when the connection ends without one.
async fn status(shop: &Shop, port: u16, text: &str) -> Option<u16> {
    let address = ("127.0.0.1", shop.port(port));
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(text.as_bytes()).await.unwrap();
    let mut line = [0; 12];
    let read = timeout(PATIENCE, socket.read_exact(&mut line)).await;
    read.expect("answered or closed in time").ok()?;
    std::str::from_utf8(&line[9..]).ok()?.parse().ok()
}

fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n")
}

/// A page whose name is made to point at this machine is told apart by that name alone.
#[tokio::test]
async fn every_port_answers_to_the_names_of_this_machine_alone() {
    let shop = Shop::shared().await;
    for (port, path) in DOORS {
        for (headers, expected) in [
            ("Host: 127.0.0.1\r\n", 200),
            ("Host: localhost:1\r\n", 200),
            ("Host: [::1]\r\n", 200),
            ("Host: evil:4000\r\n", 421),
            ("Host: localhost.evil.example\r\n", 421),
            ("", 400),
            ("Host: localhost\r\nHost: localhost\r\n", 400),
        ] {
            let found = status(shop, port, &get(path, headers)).await;
            assert_eq!(found, Some(expected), "{port}{path} {headers:?}");
        }
    }
}

#[tokio::test]
async fn half_a_head_is_ended_on_every_port() {
    let shop = Shop::shared().await;
    let half = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ";
    let ended = DOORS.map(|(port, _)| status(shop, port, half));
    let ended = futures::future::join_all(ended).await;
    assert!(ended.iter().all(|it| *it == Some(408)), "{ended:?}");
    let silent = [8083, 8085].map(|port| status(shop, port, ""));
    let ended = futures::future::join_all(silent).await;
    assert!(ended.iter().all(Option::is_none), "{ended:?}");
}

/// Source: docs/contracts.md, the head and §9.
#[tokio::test]
async fn no_foreign_page_and_no_lost_key_changes_anything() {
    let shop = Shop::shared().await;
    let order = r#"{"userId":8531,"items":[{"sku":1076963,"count":1}]}"#;
    for (headers, expected) in [
        ("", 200),
        ("Origin: http://evil.example\r\n", 403),
        ("Origin: null\r\n", 403),
        ("Sec-Fetch-Site: same-site\r\n", 403),
        ("Idempotency-Key: \u{43a}\u{43b}\u{44e}\u{447}\r\n", 400),
        ("Idempotency-Key: \r\n", 400),
        ("Idempotency-Key: a\r\nIdempotency-Key: a\r\n", 400),
        ("Content-Encoding: gzip\r\n", 415),
    ] {
        let post = format!(
            "POST /order/create HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}Connection: close\r\nContent-Length: {}\r\n\r\n{order}",
            order.len()
        );
        let found = status(shop, 8084, &post).await;
        assert_eq!(found, Some(expected), "{headers:?}");
    }
}
