//! Real sockets against responses that last.

use std::time::Duration;

use axum::{Router, body::Bytes, http::StatusCode, response::IntoResponse as _, routing::get};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};

use super::{Config, Ending, Gone, Outlet, Server, Stalled, Wire, lasting, switching};
use crate::{health::Health, tasks::Tasks};

/// As long as a slow machine needs.
const PATIENCE: Duration = Duration::from_secs(20);
const ASK: &str = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// A listener with one response, whose body is written by `write`.
async fn listen<F>(
    config: Config,
    write: impl Fn(Outlet) -> F + Clone + Send + Sync + 'static,
) -> TcpStream
where
    F: Future<Output = ()> + Send + 'static,
{
    let tasks = Tasks::new();
    let of_responses = tasks.clone();
    let answer = async move || {
        let head = [("x-own", "here")].into_response();
        lasting(head, &of_responses, "response", write)
    };
    serve(config, Router::new().route("/", get(answer)), &tasks).await
}

/// A listener that switches to what `speak` speaks.
async fn switch<F>(speak: impl Fn(Wire) -> F + Clone + Send + Sync + 'static) -> TcpStream
where
    F: Future<Output = ()> + Send + 'static,
{
    let answer = async move || {
        let head = (
            StatusCode::SWITCHING_PROTOCOLS,
            [("sec-websocket-accept", "x")],
        );
        switching(head.into_response(), speak)
    };
    let routes = Router::new().route("/", get(answer));
    serve(Config::default(), routes, &Tasks::new()).await
}

async fn serve(config: Config, routes: Router, tasks: &Tasks) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    Server::new("test", listener, tasks)
        .with_config(config)
        .serve(routes, tasks, &Health::new());
    TcpStream::connect(address).await.unwrap()
}

async fn rest(socket: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let ended = timeout(PATIENCE, socket.read_to_end(&mut read)).await;
    ended.expect("closed in time").unwrap();
    String::from_utf8(read).unwrap()
}

async fn say(outlet: &Outlet, text: &'static str) -> Result<(), Gone> {
    outlet.put(Bytes::from_static(text.as_bytes()))?;
    outlet.taken().await
}

/// Says each and ends so.
async fn say_all(outlet: Outlet, texts: &'static [&'static str], ending: Ending) {
    for text in texts {
        say(&outlet, text).await.unwrap();
    }
    outlet.end(Bytes::from_static(b"."), ending).await;
}

#[tokio::test]
async fn a_lasting_response_is_chunks_and_the_last_of_its_connection() {
    let write = |outlet| say_all(outlet, &["one", "", "and another"], Ending::Whole);
    let mut socket = listen(Config::default(), write).await;
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
    assert_eq!(body, "3\r\none\r\nb\r\nand another\r\n1\r\n.\r\n0\r\n\r\n");
}

#[tokio::test]
async fn one_that_breaks_off_has_its_last_words_and_is_not_whole() {
    let write = |outlet| say_all(outlet, &["last words"], Ending::Broken);
    let mut socket = listen(Config::default(), write).await;
    socket.write_all(ASK.as_bytes()).await.unwrap();
    let text = rest(&mut socket).await;
    assert!(text.ends_with("a\r\nlast words\r\n1\r\n.\r\n"), "{text}");
}

/// Through the library, whose way HTTP/2 goes too.
#[tokio::test]
async fn older_versions_have_it_without_chunks() {
    for ending in [Ending::Whole, Ending::Broken] {
        let write = move |outlet| say_all(outlet, &["one", "", "two"], ending);
        let mut socket = listen(Config::default(), write).await;
        let ask = "GET / HTTP/1.0\r\nhost: localhost\r\n\r\n";
        socket.write_all(ask.as_bytes()).await.unwrap();
        let text = rest(&mut socket).await;
        assert!(text.ends_with("\r\n\r\nonetwo."), "{ending:?}: {text}");
    }
}

/// The writer hears when its client has gone, although there is nothing to write.
#[tokio::test]
async fn whoever_leaves_is_missed_at_once() {
    for version in ["1.1", "1.0"] {
        let (left, mut has_left) = mpsc::channel::<()>(1);
        let write = move |outlet: Outlet| {
            let left = left.clone();
            async move {
                say(&outlet, "one").await.unwrap();
                outlet.gone().await;
                left.send(()).await.unwrap();
            }
        };
        let mut socket = listen(Config::default(), write).await;
        let ask = ASK.replace("1.1", version);
        socket.write_all(ask.as_bytes()).await.unwrap();
        let mut read = Vec::new();
        while !String::from_utf8_lossy(&read).contains("one") {
            assert_ne!(socket.read_buf(&mut read).await.unwrap(), 0);
        }
        if version == "1.1" {
            // What comes behind the request is read by nobody, and no reason to end.
            socket.write_all(ask.as_bytes()).await.unwrap();
        }
        let early = timeout(Duration::from_millis(50), has_left.recv()).await;
        assert!(early.is_err(), "it is there");
        drop(socket);
        let heard = timeout(PATIENCE, has_left.recv()).await;
        assert_eq!(heard, Ok(Some(())), "{version}");
    }
}

/// Goes on until the client has gone, with much to say or with signs of life alone.
async fn talk(outlet: &Outlet, is_chatty: bool) {
    let much = Bytes::from_static(&[0; 65_536]);
    loop {
        outlet.put_if_idle(much.clone());
        tokio::task::yield_now().await;
        if is_chatty && (outlet.put(much.clone()).is_err() || outlet.taken().await.is_err()) {
            return;
        }
    }
}

/// Seen red where nobody was told of what a writer had left over.
#[tokio::test]
async fn whoever_takes_nothing_is_cut() {
    for is_chatty in [true, false] {
        let (cut, mut is_cut) = mpsc::channel::<()>(1);
        let write = move |outlet: Outlet| {
            let cut = cut.clone();
            async move {
                tokio::select! {
                    () = talk(&outlet, is_chatty) => {}
                    () = outlet.gone() => {}
                }
                cut.send(()).await.unwrap();
            }
        };
        let config = Config {
            write_timeout: Duration::from_millis(200),
            ..Config::default()
        };
        let mut socket = listen(config, write).await;
        socket.write_all(ASK.as_bytes()).await.unwrap();
        let heard = timeout(PATIENCE, is_cut.recv()).await;
        assert_eq!(heard, Ok(Some(())), "chatty: {is_chatty}");
    }
}

/// A client that reads slowly has every byte in its place. Seen red with pieces that were written before what was left over.
#[tokio::test]
async fn what_the_system_does_not_take_at_once_comes_in_its_order() {
    const PIECES: usize = 200;
    let write = |outlet: Outlet| async move {
        for number in 0..PIECES {
            let piece = format!("{number:0>20000}");
            outlet.put(Bytes::from(piece)).unwrap();
            // Of no use while the last is on its way.
            outlet.put_if_idle(Bytes::from_static(b"life"));
            outlet.taken().await.unwrap();
        }
        outlet.end(Bytes::new(), Ending::Whole).await;
    };
    let mut socket = listen(Config::default(), write).await;
    socket.write_all(ASK.as_bytes()).await.unwrap();
    let mut text = String::new();
    while !text.ends_with("\r\n0\r\n\r\n") {
        let mut read = [0; 7_001];
        let count = timeout(PATIENCE, socket.read(&mut read))
            .await
            .unwrap()
            .unwrap();
        assert_ne!(count, 0, "closed before its end");
        text.push_str(std::str::from_utf8(&read[..count]).unwrap());
        tokio::task::yield_now().await;
    }
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    let said = body.replace("4\r\nlife\r\n", "");
    let expected: String = (0..PIECES)
        .map(|number| format!("4e20\r\n{number:0>20000}\r\n"))
        .collect();
    assert_eq!(said.len(), expected.len() + 5);
    assert!(said.starts_with(&expected), "a byte is out of its place");
}

/// Says back what it hears, until it hears a full stop.
async fn say_back(wire: Wire) {
    loop {
        wire.readable().await.unwrap();
        let mut heard = [0; 64];
        let Ok(count) = wire.try_read(&mut heard) else {
            continue;
        };
        wire.put([b"<", &heard[..count], b">"]).unwrap();
        if heard[..count].contains(&b'.') {
            break;
        }
    }
    wire.put_last([b"!"]).unwrap();
    assert!(wire.put([b"never"]).is_err() && wire.put_last([b"never"]).is_err());
    wire.taken().await.unwrap();
    wire.shutdown();
}

/// Seen red with a head that waited for the first word behind it.
#[tokio::test]
async fn behind_a_switch_another_protocol_is_spoken() {
    let mut socket = switch(say_back).await;
    socket.write_all(ASK.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    assert!(
        head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"),
        "{head}"
    );
    assert!(head.contains("\r\nSec-WebSocket-Accept: x\r\n"), "{head}");
    for other in ["transfer-encoding", "connection: close"] {
        assert!(!head.contains(other), "{head}");
    }
    for word in ["one", "another"] {
        socket.write_all(word.as_bytes()).await.unwrap();
        let mut back = vec![0; word.len() + 2];
        socket.read_exact(&mut back).await.unwrap();
        assert_eq!(back, format!("<{word}>").into_bytes());
    }
    socket.write_all(b".").await.unwrap();
    assert_eq!(rest(&mut socket).await, "<.>!");
}

/// Writes more than its client takes, and says why it stops.
async fn say_too_much(wire: Wire, limit: Duration, told: mpsc::Sender<Stalled>) {
    while wire.unsent() == 0 {
        wire.put([&[0; 65_536]]).unwrap();
    }
    told.send(wire.stalled(limit).await).await.unwrap();
}

#[tokio::test]
async fn a_wire_knows_who_takes_nothing_from_who_has_gone() {
    for (limit, expected) in [
        (Duration::from_millis(200), Stalled::TakesNothing),
        (PATIENCE, Stalled::Gone),
    ] {
        let (told, mut is_told) = mpsc::channel(1);
        let mut socket = switch(move |wire| say_too_much(wire, limit, told.clone())).await;
        socket.write_all(ASK.as_bytes()).await.unwrap();
        socket.readable().await.unwrap();
        let stays = (expected == Stalled::TakesNothing).then_some(socket);
        assert_eq!(is_told.recv().await, Some(expected));
        drop(stays);
    }
}
