use std::time::Duration;

use bytes::Bytes;
use futures::future::join;
use http::Request;
use http_body_util::Full;
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::*;

const SOON: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_millis(200);
const SHORT: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

/// What a connection did: its number, and whether it asked or ended.
#[derive(Debug, PartialEq, Eq)]
enum Saw {
    Asked(usize, String),
    Ended(usize),
}

/// A server that writes these parts for every request, with a pause between them, and closes behind them if it is told to.
struct Server {
    kept: Kept,
    saw: UnboundedReceiver<Saw>,
    _tasks: JoinSet<()>,
}

impl Server {
    async fn start(parts: Vec<String>, closes: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/graphql?a=b", listener.local_addr().unwrap());
        let (seen, saw) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let (parts, seen) = (parts.clone(), seen.clone());
                connections.spawn(async move {
                    converse(number, stream, &parts, closes, &seen).await;
                    seen.send(Saw::Ended(number)).unwrap();
                });
            }
        });
        let kept = Kept::new(address.parse().unwrap(), HttpConnector::new(), IDLE);
        Self {
            kept: kept.unwrap(),
            saw,
            _tasks: tasks,
        }
    }

    async fn fetch(&self) -> Result<Bytes, FetchError> {
        fetch(&self.kept).await
    }

    async fn next(&mut self) -> Saw {
        timeout(SOON, self.saw.recv()).await.unwrap().unwrap()
    }

    async fn asked(&mut self) -> (usize, String) {
        loop {
            if let Saw::Asked(number, text) = self.next().await {
                return (number, text);
            }
        }
    }
}

async fn converse(
    number: usize,
    mut stream: TcpStream,
    parts: &[String],
    closes: bool,
    seen: &mpsc::UnboundedSender<Saw>,
) {
    let mut read = Vec::new();
    loop {
        let length = stream.read_buf(&mut read).await.unwrap_or(0);
        if length == 0 {
            return;
        }
        let text = String::from_utf8_lossy(&read).into_owned();
        if !text.ends_with("{query}") {
            continue;
        }
        seen.send(Saw::Asked(number, text)).unwrap();
        read.clear();
        for part in parts {
            if stream.write_all(part.as_bytes()).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if closes {
            return;
        }
    }
}

fn request() -> Request<Full<Bytes>> {
    Request::post("http://elsewhere/")
        .body(Full::from("{query}"))
        .unwrap()
}

async fn fetch(kept: &Kept) -> Result<Bytes, FetchError> {
    let fetched = timeout(SOON, kept.fetch(request(), 1_000)).await;
    fetched.unwrap().map(|(_, body)| body)
}

/// Seen red with nothing kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_has_one_fetch_after_the_other_and_two_at_once_have_two() {
    let mut server = Server::start(vec![SHORT.to_owned()], false).await;
    let mut numbers = Vec::new();
    for _ in 0..3 {
        assert_eq!(server.fetch().await.unwrap(), "{}");
        let (number, text) = server.asked().await;
        assert!(text.starts_with("POST /graphql?a=b HTTP/1.1\r\n"), "{text}");
        let host = format!("host: {}\r\n", server.kept.address.authority().unwrap());
        assert!(text.contains(&host), "{text}");
        numbers.push(number);
    }
    assert_eq!(numbers, [0, 0, 0]);
    let (one, other) = join(server.fetch(), server.fetch()).await;
    assert!(one.is_ok() && other.is_ok());
    assert_ne!(server.asked().await.0, server.asked().await.0);
}

/// Seen red without another try of what was not sent.
#[tokio::test]
async fn what_the_other_side_has_closed_is_no_failure() {
    let close = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
    for (response, closes) in [(SHORT, true), (close, false)] {
        let mut server = Server::start(vec![response.to_owned()], closes).await;
        for number in 0..3 {
            assert_eq!(server.fetch().await.unwrap(), "{}");
            assert_eq!(server.asked().await.0, number);
            assert_eq!(server.next().await, Saw::Ended(number));
        }
    }
}

/// So it may be sent on another connection, a mutation too.
#[tokio::test]
async fn a_request_on_a_connection_that_has_ended_comes_back_unsent() {
    let mut server = Server::start(vec![SHORT.to_owned()], true).await;
    let mut connection = server.kept.connect().await.unwrap();
    let response = connection.send(request()).await.unwrap();
    let body = connection.drive(response.into_body().collect()).await;
    assert_eq!(body.unwrap().to_bytes(), "{}");
    assert_eq!(server.asked().await.0, 0);
    assert_eq!(server.next().await, Saw::Ended(0));
    let mut failed = connection.send(request()).await.unwrap_err();
    assert!(failed.take_message().is_some(), "{:?}", failed.error());
    assert!(!connection.is_ready());
}

/// Seen red with one turn of the loop for each time that the socket wakes the task.
#[tokio::test]
async fn a_response_in_pieces_is_whole_in_every_framing() {
    let head = "HTTP/1.1 200 OK\r\n";
    let chunked = [
        "transfer-encoding: chunked\r\n\r\n",
        "1\r\n{\r",
        "\n1\r\n}\r\n0\r\n",
        "\r\n",
    ];
    let counted = ["content-len", "gth: 2\r\n\r\n{", "}"];
    let continued = [
        "x: y\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
    ];
    let cases = [
        (head, &chunked[..], false),
        (head, &counted[..], false),
        (head, &["\r\n", "{", "}"][..], true),
        ("HTTP/1.1 100 Continue\r\n", &continued[..], false),
    ];
    for (head, rest, closes) in cases {
        let parts = [&[head], rest].concat();
        let parts = parts.into_iter().map(str::to_owned).collect();
        let server = Server::start(parts, closes).await;
        for _ in 0..2 {
            assert_eq!(server.fetch().await.unwrap(), "{}", "{rest:?}");
        }
    }
}

#[tokio::test]
async fn what_is_no_whole_response_says_why() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}".to_owned();
    let long = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n{:1001}",
        "{}"
    );
    let garbage = "ehlo\r\n\r\n".to_owned();
    let is_lost = |error: &FetchError| matches!(error, FetchError::Lost(_));
    for (response, is_long) in [
        (cut, false),
        (garbage, false),
        (String::new(), false),
        (long, true),
    ] {
        let server = Server::start(vec![response.clone()], true).await;
        for _ in 0..2 {
            let error = server.fetch().await.unwrap_err();
            let is_right = if is_long {
                error == FetchError::TooLong { bytes_max: 1_000 }
            } else {
                is_lost(&error)
            };
            assert!(is_right, "{response}: {error:?}");
        }
    }
    let nowhere = Kept::new(
        "http://127.0.0.1:1/".parse().unwrap(),
        HttpConnector::new(),
        IDLE,
    );
    let error = fetch(&nowhere.unwrap()).await.unwrap_err();
    assert!(matches!(error, FetchError::Connect(_)), "{error:?}");
}

/// Seen red without the watching task: the connection then stays open until somebody asks again.
#[tokio::test]
async fn a_connection_that_nobody_uses_is_closed() {
    let mut server = Server::start(vec![SHORT.to_owned()], false).await;
    for number in 0..2 {
        server.fetch().await.unwrap();
        assert_eq!(server.asked().await.0, number);
        assert_eq!(server.next().await, Saw::Ended(number));
    }
}

#[tokio::test]
async fn a_fetch_that_is_given_up_takes_its_connection_along() {
    let mut server = Server::start(vec!["HTTP/1.1 200 OK\r\n".to_owned()], false).await;
    let given_up = timeout(
        Duration::from_millis(100),
        server.kept.fetch(request(), 1_000),
    )
    .await;
    assert!(given_up.is_err());
    assert_eq!(server.asked().await.0, 0);
    assert_eq!(server.next().await, Saw::Ended(0));
}
