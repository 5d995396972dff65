use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream;
use http::{HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use url::Url;

use super::*;
use crate::host::{Credential, Host};
use crate::subgraph::pool::Pool;

/// A subgraph: each opening is handed to the test, which says what comes; without the test it refuses.
struct Scripted {
    openings: mpsc::UnboundedSender<Feed>,
    count: AtomicUsize,
}

type Feed = mpsc::UnboundedSender<Result<Bytes, FetchError>>;

impl Protocol for Scripted {
    fn open(&self, _asked: Asked) -> BoxFuture<'_, Result<Responses, FetchError>> {
        Box::pin(async move {
            self.count.fetch_add(1, Ordering::SeqCst);
            // Whoever opens at the same time is here now, too.
            tokio::task::yield_now().await;
            let (feed, received) = mpsc::unbounded_channel();
            let opened = self.openings.send(feed);
            opened.map_err(|_| FetchError::Connect("away".to_owned()))?;
            let next = async |mut received: mpsc::UnboundedReceiver<_>| {
                Some((received.recv().await?, received))
            };
            Ok(stream::unfold(received, next).boxed())
        })
    }
}

fn live(config: FetchConfig) -> (Live, Arc<Scripted>, mpsc::UnboundedReceiver<Feed>) {
    let (openings, opened) = mpsc::unbounded_channel();
    let scripted = Arc::new(Scripted {
        openings,
        count: AtomicUsize::new(0),
    });
    let live = Live::new(
        "prices",
        scripted.clone(),
        config,
        Host::default().telemetry,
    );
    (live, scripted, opened)
}

fn asked(text: &'static str) -> Asked {
    Asked {
        body: Bytes::from_static(text.as_bytes()),
        headers: Vec::new(),
    }
}

fn at_most(subscriptions_max: usize) -> FetchConfig {
    FetchConfig {
        subscriptions_max,
        ..FetchConfig::default()
    }
}

/// Seen red with those alone counted that are open: all five were opened.
#[tokio::test(start_paused = true)]
async fn so_many_different_ones_are_open_at_once_and_equal_ones_are_one() {
    let (live, scripted, _opened) = live(at_most(2));
    let texts = ["a", "b", "c", "d", "e"];
    let listening = texts.map(|text| live.listen(asked(text)));
    let heard = futures::future::join_all(listening).await;
    let full = FetchError::Subscriptions { max: 2 };
    let refused = heard.iter().filter_map(|it| it.as_ref().err());
    assert_eq!(refused.collect::<Vec<_>>(), [&full, &full, &full]);
    assert_eq!(scripted.count.load(Ordering::SeqCst), 2);
    let equal = live.listen(asked("a")).await.unwrap();
    assert!(equal.is_with(heard[0].as_ref().unwrap()));
    drop(heard);
    // The upstream of "a" has a listener still, that of "b" ends.
    tokio::time::sleep(Duration::from_millis(1)).await;
    live.listen(asked("c")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1)).await;
    drop(equal);
    tokio::time::sleep(Duration::from_millis(1)).await;
    let (_d, _e) = (
        live.listen(asked("d")).await.unwrap(),
        live.listen(asked("e")).await.unwrap(),
    );
    assert_eq!(live.listen(asked("f")).await.unwrap_err(), full);
}

/// The clock runs on by itself while everybody waits.
#[tokio::test(start_paused = true)]
async fn one_that_is_lost_is_opened_again_until_its_time_is_over() {
    let config = FetchConfig {
        resubscribe_timeout: Duration::from_secs(3),
        ..FetchConfig::default()
    };
    let (live, scripted, mut opened) = live(config);
    let mut listener = live.listen(asked("a")).await.unwrap();
    let feed = opened.recv().await.unwrap();
    feed.send(Err(FetchError::Empty)).unwrap();
    let again = opened.recv().await.unwrap();
    again.send(Ok(Bytes::from_static(b"1"))).unwrap();
    assert_eq!(listener.next().await, LiveEvent::Gap);
    assert_eq!(
        listener.next().await,
        LiveEvent::Response(Bytes::from_static(b"1"))
    );
    // Now the subgraph is away for good: tries after 0.1, 0.2, 0.4 and 0.8 s, and the next one would come after 3 s.
    drop(opened);
    let lost_at = Instant::now();
    again.send(Err(FetchError::Empty)).unwrap();
    let away = FetchError::Connect("away".to_owned());
    assert_eq!(listener.next().await, LiveEvent::Lost(away));
    assert_eq!(lost_at.elapsed().as_millis(), 1_500);
    assert_eq!(scripted.count.load(Ordering::SeqCst), 2 + 4);
    // And what was lost is in nobody's way.
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(live.open.lock().is_empty());
    assert_eq!(live.places.available_permits(), 1_000);
}

#[tokio::test]
async fn a_slow_listener_is_told_of_a_gap_and_keeps_nobody_waiting() {
    let (live, _scripted, mut opened) = live(FetchConfig::default());
    let mut slow = live.listen(asked("a")).await.unwrap();
    let mut fast = live.listen(asked("a")).await.unwrap();
    let feed = opened.recv().await.unwrap();
    let count = BEHIND_MAX + 50;
    for number in 0..count {
        feed.send(Ok(Bytes::from(number.to_string()))).unwrap();
        assert_eq!(
            fast.next().await,
            LiveEvent::Response(number.to_string().into())
        );
    }
    assert_eq!(slow.next().await, LiveEvent::Gap);
    for number in 50..count {
        assert_eq!(
            slow.next().await,
            LiveEvent::Response(number.to_string().into())
        );
    }
    drop(feed);
    assert_eq!(slow.next().await, LiveEvent::Complete);
}

/// A credential that is another each time.
#[derive(Default)]
struct Counted(AtomicUsize);

impl Credential for Counted {
    fn header(&self) -> (HeaderName, HeaderValue) {
        let count = self.0.fetch_add(1, Ordering::SeqCst);
        let value = format!("service {count}");
        let value = HeaderValue::try_from(value).expect("a value");
        (HeaderName::from_static("x-service"), value)
    }
}

async fn bound() -> (TcpListener, std::net::SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn credential() -> Option<Arc<dyn Credential>> {
    Some(Arc::new(Counted::default()))
}

/// Seen red without the credential, which fetches alone had.
#[tokio::test]
async fn a_stream_of_events_is_opened_with_the_credential_of_its_time() {
    let (listener, address) = bound().await;
    let uri = format!("http://{address}/").parse().unwrap();
    let sse = Sse {
        client: Arc::new(Pool::new(&uri, &FetchConfig::default()).unwrap()),
        uri,
        bytes_max: 1_000,
        credential: credential(),
    };
    for count in 0..2 {
        let serving = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 4_096];
            let length = socket.read(&mut head).await.unwrap();
            let answer =
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
            socket.write_all(answer).await.unwrap();
            String::from_utf8_lossy(&head[..length]).into_owned()
        };
        let (opened, head) = tokio::join!(sse.open(asked("{}")), serving);
        assert!(opened.is_ok());
        assert!(
            head.contains(&format!("x-service: service {count}\r\n")),
            "{head}"
        );
    }
}

/// Seen red without the credential, which fetches alone had.
#[tokio::test]
async fn a_socket_is_opened_with_the_credential_of_its_time() {
    let (listener, address) = bound().await;
    let url = Url::parse(&format!("ws://{address}/")).unwrap();
    let limit = Duration::from_secs(5);
    let sockets = Sockets::new(url, None, limit, 1_000, credential());
    let serving = async {
        let (wire, _) = listener.accept().await.unwrap();
        let mut seen = None;
        #[expect(clippy::result_large_err, reason = "the library has it so")]
        let look = |request: &Request, mut response: Response| {
            seen = request.headers().get("x-service").cloned();
            let chosen = HeaderValue::from_static("graphql-transport-ws");
            response
                .headers_mut()
                .insert("sec-websocket-protocol", chosen);
            Ok(response)
        };
        let mut socket = tokio_tungstenite::accept_hdr_async(wire, look)
            .await
            .unwrap();
        let init = socket.next().await.unwrap().unwrap();
        assert!(init.to_text().unwrap().contains("connection_init"));
        // The credential proves this process, and is none of the caller's parameters.
        assert!(!init.to_text().unwrap().contains("service"));
        seen
    };
    let opening = sockets.open(asked("{}"));
    let seen = tokio::select! {
        seen = serving => seen,
        _ = opening => panic!("nobody acknowledged"),
    };
    assert_eq!(seen.unwrap(), "service 0");
}
