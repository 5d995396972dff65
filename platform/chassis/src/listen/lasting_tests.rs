//! Real sockets against responses that last.

use std::{io, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    response::{IntoResponse as _, Response},
    routing::get,
};
use futures::{StreamExt as _, stream};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};

use super::{Config, Lasting, Server};
use crate::{health::Health, tasks::Tasks};

/// As long as a slow machine needs.
const PATIENCE: Duration = Duration::from_secs(20);
const ASK: &str = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

type Piece = io::Result<Bytes>;

/// A listener with one response, whose body are the pieces.
async fn listen(
    config: Config,
    body: impl Fn() -> Body + Clone + Send + Sync + 'static,
) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = async move || -> Response {
        let mut response = ([("x-own", "here")], body()).into_response();
        response.extensions_mut().insert(Lasting);
        response
    };
    let routes = Router::new().route("/", get(answer));
    let tasks = Tasks::new();
    Server::new("test", listener, &tasks)
        .with_config(config)
        .serve(routes, &tasks, &Health::new());
    TcpStream::connect(address).await.unwrap()
}

/// Says when it is dropped.
struct Told(mpsc::Sender<()>);

impl Drop for Told {
    fn drop(&mut self) {
        let _is_heard = self.0.try_send(()).is_ok();
    }
}

async fn rest(socket: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let ended = timeout(PATIENCE, socket.read_to_end(&mut read)).await;
    ended.expect("closed in time").unwrap();
    String::from_utf8(read).unwrap()
}

fn piece(text: &'static str) -> Piece {
    Ok(Bytes::from_static(text.as_bytes()))
}

#[tokio::test]
async fn a_lasting_response_is_chunks_and_the_last_of_its_connection() {
    let body = || {
        Body::from_stream(stream::iter([
            piece("one"),
            piece(""),
            piece("and another"),
        ]))
    };
    let mut socket = listen(Config::default(), body).await;
    socket.write_all(ASK.as_bytes()).await.unwrap();
    let text = rest(&mut socket).await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\ndate: "), "{head}");
    for line in [
        "transfer-encoding: chunked",
        "connection: close",
        "x-own: here",
    ] {
        assert_eq!(head.matches(line).count(), 1, "{line}: {head}");
    }
    assert_eq!(body, "3\r\none\r\nb\r\nand another\r\n0\r\n\r\n");
}

#[tokio::test]
async fn one_that_breaks_off_has_its_last_words_and_is_not_whole() {
    let body = || {
        let broken = stream::once(async {
            tokio::task::yield_now().await;
            Err(io::Error::other("broken off"))
        });
        Body::from_stream(stream::iter([piece("last words")]).chain(broken))
    };
    let mut socket = listen(Config::default(), body).await;
    socket.write_all(ASK.as_bytes()).await.unwrap();
    let text = rest(&mut socket).await;
    assert!(text.ends_with("a\r\nlast words\r\n"), "{text}");
}

#[tokio::test]
async fn older_versions_have_it_without_chunks() {
    let body = || Body::from_stream(stream::iter([piece("one"), piece("two")]));
    let mut socket = listen(Config::default(), body).await;
    let ask = "GET / HTTP/1.0\r\nhost: localhost\r\n\r\n";
    socket.write_all(ask.as_bytes()).await.unwrap();
    let text = rest(&mut socket).await;
    assert!(text.ends_with("\r\n\r\nonetwo"), "{text}");
}

/// The body's other end hears when its client has gone, although there is nothing to write.
#[tokio::test]
async fn whoever_leaves_is_missed_at_once() {
    let (left, mut has_left) = mpsc::channel::<()>(1);
    let body = move || {
        let held = Told(left.clone());
        let silent = stream::pending::<Piece>().map(move |piece| {
            let _held = &held;
            piece
        });
        Body::from_stream(stream::iter([piece("one")]).chain(silent))
    };
    let mut socket = listen(Config::default(), body).await;
    socket.write_all(ASK.as_bytes()).await.unwrap();
    let mut read = [0; 1_024];
    let count = socket.read(&mut read).await.unwrap();
    assert!(read[..count].ends_with(b"one\r\n"));
    // What comes behind the request is read by nobody, and no reason to end.
    socket.write_all(ASK.as_bytes()).await.unwrap();
    let early = timeout(Duration::from_millis(50), has_left.recv()).await;
    assert!(early.is_err(), "it is there");
    drop(socket);
    let heard = timeout(PATIENCE, has_left.recv()).await;
    assert_eq!(heard, Ok(Some(())));
}

#[tokio::test]
async fn whoever_takes_nothing_is_cut() {
    let (cut, mut is_cut) = mpsc::channel::<()>(1);
    let body = move || {
        let held = Told(cut.clone());
        let endless = stream::repeat_with(move || {
            let _held = &held;
            Ok::<_, io::Error>(Bytes::from_static(&[0; 65_536]))
        });
        Body::from_stream(endless)
    };
    let config = Config {
        write_timeout: Duration::from_millis(200),
        ..Config::default()
    };
    let mut socket = listen(config, body).await;
    socket.write_all(ASK.as_bytes()).await.unwrap();
    let heard = timeout(PATIENCE, is_cut.recv()).await;
    assert_eq!(heard, Ok(Some(())));
}
