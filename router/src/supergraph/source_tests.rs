use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, HeaderValue},
    response::{IntoResponse, Response},
    routing::get,
};
use parking_lot::Mutex;

use super::*;

/// What the server at the URL answers, and what it was asked with.
#[derive(Default)]
struct Server {
    answer: Mutex<(u16, Option<&'static str>, String)>,
    asked: Mutex<Vec<HeaderMap>>,
}

impl Server {
    async fn start() -> (Arc<Self>, String) {
        let server = Arc::new(Self::default());
        let answer = async |State(server): State<Arc<Self>>, headers: HeaderMap| -> Response {
            let (status, tag, text) = server.answer.lock().clone();
            let is_known = tag.is_some_and(|tag| {
                let known = headers.get(header::IF_NONE_MATCH);
                known.is_some_and(|known| known.as_bytes() == tag.as_bytes())
            });
            server.asked.lock().push(headers);
            let status = if is_known { 304 } else { status };
            let status = StatusCode::from_u16(status).expect("a status");
            let text = if is_known { String::new() } else { text };
            let mut response = (status, text).into_response();
            let headers = response.headers_mut();
            headers.insert(header::LOCATION, HeaderValue::from_static("/elsewhere"));
            if let Some(tag) = tag {
                headers.insert(header::ETAG, HeaderValue::from_static(tag));
            }
            response
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("bound");
        let routes = Router::new().route("/graph", get(answer));
        let routes = routes.route("/elsewhere", get(async || "elsewhere"));
        let routes = routes.with_state(server.clone());
        #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
        tokio::spawn(async move { axum::serve(listener, routes).await });
        (server, format!("http://{address}/graph"))
    }

    fn answers(&self, status: u16, tag: Option<&'static str>, text: &str) {
        *self.answer.lock() = (status, tag, text.to_owned());
    }
}

fn source(url: &str, bytes_max: usize) -> Source {
    chassis::tls::install();
    let mut config = Config {
        supergraph: url.to_owned(),
        ..Config::default()
    };
    config.supergraph_reload.bytes_max = bytes_max;
    config.supergraph_reload.header = "x-key: k".to_owned().into();
    Source::new(&config).expect("a source")
}

async fn looked(source: &mut Source) -> Option<String> {
    source.look().await.expect("it answers")
}

#[tokio::test]
async fn a_url_is_asked_with_the_tag_of_what_it_last_answered() {
    let (server, url) = Server::start().await;
    let mut source = source(&url, 100);
    server.answers(200, Some("\"1\""), "one");
    assert_eq!(looked(&mut source).await.as_deref(), Some("one"));
    assert_eq!(looked(&mut source).await, None);
    server.answers(200, Some("\"2\""), "two");
    assert_eq!(looked(&mut source).await.as_deref(), Some("two"));
    let asked = server.asked.lock().clone();
    let tags = asked.iter().map(|it| it.get(header::IF_NONE_MATCH));
    let tags: Vec<_> = tags.map(|it| it.and_then(|it| it.to_str().ok())).collect();
    assert_eq!(tags, [None, Some("\"1\""), Some("\"1\"")]);
    assert!(asked.iter().all(|it| it["x-key"] == "k"), "{asked:?}");
}

/// A graph that is loaded anew drops its plans.
#[tokio::test]
async fn the_same_text_without_a_tag_or_under_another_is_not_another() {
    let (server, url) = Server::start().await;
    let mut source = source(&url, 100);
    for (tag, text, found) in [
        (None, "one", Some("one")),
        (None, "one", None),
        (Some("\"1\""), "one", None),
        (None, "two", Some("two")),
        (None, "one", Some("one")),
    ] {
        server.answers(200, tag, text);
        assert_eq!(looked(&mut source).await.as_deref(), found);
    }
}

#[tokio::test]
async fn what_answers_something_else_is_named_and_asked_again() {
    let (server, url) = Server::start().await;
    let mut source = source(&url, 10);
    for (status, text, said) in [
        (404, "none", "status 404"),
        (500, "", "status 500"),
        (302, "", "status 302"),
        (204, "", "status 204"),
        (
            200,
            "longer than ten",
            "longer than 10 bytes (router.supergraph_reload.bytes_max)",
        ),
    ] {
        server.answers(status, Some("\"x\""), text);
        for _ in 0..2 {
            let error = source.look().await.expect_err("no supergraph").to_string();
            assert!(error.contains(said), "{error}");
        }
    }
    server.answers(200, Some("\"x\""), "ten chars!");
    assert_eq!(looked(&mut source).await.as_deref(), Some("ten chars!"));
    let asked = server.asked.lock().clone();
    let has_tag = asked
        .iter()
        .any(|it| it.contains_key(header::IF_NONE_MATCH));
    assert!(!has_tag, "the tag of what was not taken in was sent");
}

/// The clock runs on by itself while everybody waits.
#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_is_given_up() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("http://{}/graph", silent.local_addr().expect("bound"));
    let error = source(&url, 100).look().await.expect_err("too late");
    let SourceError::Http(error) = error else {
        panic!("{error}");
    };
    assert!(error.is_timeout(), "{error}");
    assert!(!format!("{error:?}").contains("127.0.0.1"), "{error:?}");
}
