//! Real sockets against a listener with short bounds.

use std::time::Duration;

use axum::{Router, body::Bytes, routing};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::{Config, Server};
use crate::{health::Health, tasks::Tasks};

const SHORT: Duration = Duration::from_millis(200);
/// Longer than any bound of these tests, and as long as a slow machine needs.
const PATIENCE: Duration = Duration::from_secs(20);

fn short() -> Config {
    Config {
        header_timeout: SHORT,
        body_timeout: SHORT,
        idle_timeout: SHORT,
        write_timeout: SHORT,
        ..Config::default()
    }
}

fn long() -> Config {
    Config {
        header_timeout: PATIENCE * 2,
        idle_timeout: PATIENCE * 2,
        ..Config::default()
    }
}

fn routes() -> Router {
    let slow = async || {
        tokio::time::sleep(SHORT * 3).await;
        "late"
    };
    let endless = async || {
        let chunks =
            std::iter::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[0; 65_536])));
        axum::body::Body::from_stream(futures::stream::iter(chunks))
    };
    Router::new()
        .route(
            "/",
            routing::get(async || "here").post(async |body: Bytes| body),
        )
        .route("/ignores", routing::post(async || "unread"))
        .route("/slow", routing::get(slow))
        .route("/endless", routing::get(endless))
}

struct Running {
    address: std::net::SocketAddr,
    tasks: Tasks,
}

async fn listen(config: Config) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tasks = Tasks::new();
    Server::new("test", listener, &tasks)
        .with_config(config)
        .serve(routes(), &tasks, &Health::new());
    Running { address, tasks }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends `text` and gives what comes until the other side closes.
    async fn until_closed(&self, text: &str) -> String {
        let mut socket = self.connect().await;
        socket.write_all(text.as_bytes()).await.unwrap();
        rest(&mut socket).await
    }
}

async fn rest(socket: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let ended = timeout(PATIENCE, socket.read_to_end(&mut read)).await;
    // A reset is an end as well.
    let _is_orderly = ended.expect("closed in time").is_ok();
    String::from_utf8_lossy(&read).into_owned()
}

/// Asks on an open connection and gives the head and the body that the routes above have.
async fn ask(socket: &mut TcpStream) -> String {
    socket
        .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut read = vec![0; 1_024];
    let count = timeout(PATIENCE, socket.read(&mut read)).await;
    let count = count.expect("answered in time").unwrap();
    String::from_utf8_lossy(&read[..count]).into_owned()
}

/// Seen red with `poll_deadline` always pending: nothing closed any of them.
#[tokio::test]
async fn no_state_of_a_connection_lasts_for_ever() {
    let running = listen(short()).await;
    assert_eq!(running.until_closed("").await, "");
    for half in [
        "GET / HTTP/1.1\r\nHo",
        "G",
        "GET / HTTP/1.1\r\nhost: localhost\r\n",
    ] {
        let answer = running.until_closed(half).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{half:?}: {answer}");
    }
    let idle = running
        .until_closed("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await;
    assert!(
        idle.starts_with("HTTP/1.1 200") && idle.ends_with("here"),
        "{idle}"
    );
    let half = "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\nhalf";
    let answer = running.until_closed(half).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    let preface = running
        .until_closed("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await;
    assert!(!preface.contains("HTTP/1.1"), "{preface}");
}

#[tokio::test]
async fn a_head_that_drips_is_ended() {
    let running = listen(short()).await;
    let mut socket = running.connect().await;
    let drip = async {
        while socket.write_all(b"x").await.is_ok() {
            tokio::time::sleep(SHORT / 10).await;
        }
    };
    timeout(PATIENCE, drip).await.expect("closed in time");
}

/// The neighbours: what is slow on this side, and what keeps asking. Seen red with the deadline counted in flight too.
#[tokio::test]
async fn a_request_in_flight_and_a_connection_in_use_stay() {
    let running = listen(short()).await;
    let slow = running
        .until_closed("GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await;
    assert!(slow.ends_with("late"), "{slow}");
    let mut socket = running.connect().await;
    for _ in 0..6 {
        assert!(ask(&mut socket).await.ends_with("here"));
        tokio::time::sleep(SHORT / 3).await;
    }
}

#[tokio::test]
async fn a_client_that_takes_nothing_loses_its_connection() {
    let running = listen(short()).await;
    let mut socket = running.connect().await;
    let head = b"GET /endless HTTP/1.1\r\nhost: localhost\r\n\r\n";
    socket.write_all(head).await.unwrap();
    tokio::time::sleep(SHORT * 4).await;
    let mut read = Vec::new();
    let ended = timeout(PATIENCE, socket.read_to_end(&mut read)).await;
    assert!(ended.is_ok(), "an endless response ended");
}

#[tokio::test]
async fn a_head_beyond_the_bound_is_431() {
    let running = listen(Config {
        header_bytes_max: 8_192,
        ..short()
    })
    .await;
    let head = |bytes| {
        format!(
            "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx: {}\r\n\r\n",
            "x".repeat(bytes)
        )
    };
    let answer = running.until_closed(&head(10_000)).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let answer = running.until_closed(&head(4_000)).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// Seen red with `make_room` refusing: the newcomer got 503.
#[tokio::test]
async fn idle_connections_and_half_heads_make_room_for_whoever_asks() {
    let running = listen(Config {
        per_listener_max: 8,
        ..long()
    })
    .await;
    let mut crowd = Vec::new();
    for turn in 0..32 {
        let mut socket = running.connect().await;
        if turn % 2 == 0 {
            // The other side may have given its place away by now.
            let _is_sent = socket.write_all(b"GET / HTTP/1.1\r\nHo").await.is_ok();
        }
        crowd.push(socket);
    }
    for _ in 0..8 {
        let mut socket = running.connect().await;
        assert!(ask(&mut socket).await.ends_with("here"));
        crowd.push(socket);
    }
}

#[tokio::test]
async fn where_all_are_worked_for_the_next_is_told_to_come_again() {
    let running = listen(Config {
        per_listener_max: 1,
        ..long()
    })
    .await;
    let mut first = running.connect().await;
    first
        .write_all(b"GET /endless HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut byte = [0];
    first.read_exact(&mut byte).await.unwrap();
    let refused = rest(&mut running.connect().await).await;
    assert!(
        refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after"),
        "{refused}"
    );
}

#[tokio::test]
async fn the_host_is_looked_at_before_the_route() {
    let running = listen(long()).await;
    for (head, status) in [
        (
            "GET / HTTP/1.1\r\nhost: evil:4000\r\nconnection: close\r\n\r\n",
            "421",
        ),
        ("GET / HTTP/1.1\r\nconnection: close\r\n\r\n", "400"),
        (
            "GET / HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\nconnection: close\r\n\r\n",
            "400",
        ),
        (
            "GET / HTTP/1.1\r\nhost: localhost:1\r\nconnection: close\r\n\r\n",
            "200",
        ),
        ("GET / HTTP/1.0\r\n\r\n", "200"),
    ] {
        let answer = running.until_closed(head).await;
        assert_eq!(answer.get(9..12), Some(status), "{head}: {answer}");
    }
}

/// A client that is not told puts its next request on the connection, where nobody reads it.
///
/// Seen red without the header: the response said nothing, and the connection was closed behind it.
#[tokio::test]
async fn a_response_before_the_body_says_that_it_is_the_last() {
    let running = listen(long()).await;
    let mut socket = running.connect().await;
    let head = "POST /ignores HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\n\r\n";
    socket.write_all(head.as_bytes()).await.unwrap();
    let response = rest(&mut socket).await;
    assert!(response.contains("connection: close"), "{response}");

    let mut socket = running.connect().await;
    socket
        .write_all(format!("{head}body").as_bytes())
        .await
        .unwrap();
    let mut text = vec![0; 1024];
    let read = timeout(PATIENCE, socket.read(&mut text));
    let read = read.await.unwrap().unwrap();
    let response = String::from_utf8_lossy(&text[..read]).into_owned();
    assert!(!response.contains("connection: close"), "{response}");
    assert!(ask(&mut socket).await.contains("here"));
}

#[tokio::test]
async fn a_stop_ends_idle_connections_at_once_and_waits_for_what_is_in_flight() {
    let running = listen(long()).await;
    let mut idle = running.connect().await;
    assert!(ask(&mut idle).await.ends_with("here"));
    let mut busy = running.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    tokio::time::sleep(SHORT / 2).await;
    let stopped = running.tasks.shutdown(PATIENCE);
    let (left, idle, busy) = tokio::join!(stopped, rest(&mut idle), rest(&mut busy));
    assert_eq!((left.len(), idle.as_str()), (0, ""));
    assert!(busy.ends_with("late"), "{busy}");
}

/// A hundred calls and a reset for each, in one write: a connection that many callers share outlives those who gave up. Seen red
/// with the library's own bound, 20.
#[tokio::test]
async fn calls_that_were_given_up_cost_the_others_of_their_connection_nothing() {
    const HEADERS: u8 = 1;
    const RST_STREAM: u8 = 3;
    const SETTINGS: u8 = 4;
    const PING: u8 = 6;
    const GOAWAY: u8 = 7;
    let frame = |kind: u8, flags: u8, stream: u32, payload: &[u8]| {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()[..]];
        [&head.concat()[..], payload].concat()
    };
    // GET / over http, of the static table of HPACK, and the authority as a literal.
    let call = [&[0x82, 0x86, 0x84, 0x41, 9][..], b"localhost"].concat();
    let mut sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    sent.extend(frame(SETTINGS, 0, 0, &[]));
    for turn in 0..100 {
        let (stream, cancel) = (2 * turn + 1, 8_u32.to_be_bytes());
        sent.extend(frame(HEADERS, 0b101, stream, &call));
        sent.extend(frame(RST_STREAM, 0, stream, &cancel));
    }
    sent.extend(frame(PING, 0, 0, &[7; 8]));
    let running = listen(long()).await;
    let mut socket = running.connect().await;
    socket.write_all(&sent).await.unwrap();
    let answer = async {
        loop {
            let mut head = [0; 9];
            socket.read_exact(&mut head).await.unwrap();
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            socket.read_exact(&mut payload).await.unwrap();
            if matches!(head[3], PING | GOAWAY) {
                break (head[3], payload);
            }
        }
    };
    let answered = timeout(PATIENCE, answer).await.expect("answered in time");
    assert_eq!(answered, (PING, vec![7; 8]));
}

#[cfg(target_os = "linux")]
mod descriptors {
    //! In processes of their own, which may open few files.

    use std::{fs::File, process::Command};

    use rustix::process::{Resource, getrlimit};
    use tokio::net::TcpSocket;

    use super::{super::descriptors, *};

    fn under(limits: &str, test: &str) {
        let this = std::env::current_exe().unwrap();
        let test = format!("listen::tests::descriptors::{test}");
        let limited =
            format!("{limits} && exec \"$0\" --exact {test} --include-ignored --nocapture");
        let ran = Command::new("sh").args(["-c", &limited]).arg(this).status();
        let ran = ran.unwrap();
        assert!(ran.success(), "{ran}");
    }

    /// Seen red without `setrlimit`.
    #[test]
    fn the_limit_of_open_files_is_raised_and_some_are_left_over() {
        under("ulimit -Sn 256", "the_limit_is_raised");
    }

    #[test]
    #[ignore = "the test above runs it with a low limit"]
    fn the_limit_is_raised() {
        let before = getrlimit(Resource::Nofile);
        assert_eq!(before.current, Some(256));
        assert_eq!(descriptors::connections_max(), 128);
        descriptors::raise_limit();
        let after = getrlimit(Resource::Nofile);
        assert_eq!(
            (after.current, after.maximum),
            (before.maximum, before.maximum)
        );
        assert!(descriptors::connections_max() > 128);
    }

    /// Seen red with a shortage that closes nothing: the newcomer was not answered.
    #[test]
    fn where_no_file_can_be_opened_idle_connections_make_room() {
        under("ulimit -n 64", "idle_connections_make_room");
    }

    #[tokio::test]
    #[ignore = "the test above runs it where few files may be open"]
    async fn idle_connections_make_room() {
        let running = listen(long()).await;
        let mut idle = Vec::new();
        for _ in 0..4 {
            let mut socket = running.connect().await;
            assert!(ask(&mut socket).await.ends_with("here"));
            idle.push(socket);
        }
        let newcomer = TcpSocket::new_v4().unwrap();
        let files = std::iter::from_fn(|| File::open("/dev/null").ok());
        let files: Vec<File> = files.collect();
        assert!(!files.is_empty());
        let mut newcomer = newcomer.connect(running.address).await.unwrap();
        assert!(ask(&mut newcomer).await.ends_with("here"));
        assert_eq!(rest(&mut idle[0]).await, "", "it was closed");
    }
}
