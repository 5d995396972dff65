//! A reload that takes away, or moves, what is in use: who asked before has the answer of the subgraph that was asked.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{Json, Router, routing::post};
use serde_json::json;
use tokio::sync::Semaphore;

use super::{
    reload::{ask, graph},
    shop::Shop,
};

/// A subgraph that answers with its own name, when it is let.
struct Held {
    url: String,
    gate: Arc<Semaphore>,
    asked: Arc<AtomicUsize>,
}

impl Held {
    async fn serve(name: &'static str) -> Self {
        let (gate, asked) = (Arc::new(Semaphore::new(0)), Arc::<AtomicUsize>::default());
        let state = (gate.clone(), asked.clone());
        let answer = move || {
            let (gate, asked) = state.clone();
            async move {
                asked.fetch_add(1, SeqCst);
                // It opens by being closed as a semaphore.
                drop(gate.acquire().await);
                Json(json!({ "data": { "seen": name } }))
            }
        };
        let routes = Router::new().route("/graphql", post(answer));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("bound");
        #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let url = format!("http://{address}/graphql");
        Self { url, gate, asked }
    }

    async fn is_asked(&self) {
        testkit::eventually("it is asked", Duration::from_secs(20), async || {
            (self.asked.load(SeqCst) == 1).then_some(())
        })
        .await;
    }
}

/// Seen red with nothing left of a response whose graph is not served any more.
#[tokio::test]
async fn what_was_asked_of_a_subgraph_that_moves_or_goes_is_answered_by_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("supergraph.graphql");
    let (old, new) = (Held::serve("old").await, Held::serve("new").await);
    std::fs::write(&file, graph(&old.url, "seen")).expect("written");
    let shop = Shop::with(|config| config.supergraph = file.display().to_string()).await;
    let engine = shop.service.engine();

    let (first, second, ()) = tokio::join!(
        ask(&shop, "seen"),
        async {
            old.is_asked().await;
            let moved = engine.reload(&graph(&new.url, "seen")).await;
            moved.expect("it loads");
            ask(&shop, "seen").await
        },
        async {
            new.is_asked().await;
            let gone = graph(&new.url, "other").replace("\"comments\"", "\"reviews\"");
            engine.reload(&gone).await.expect("it loads");
            let refused = ask(&shop, "seen").await;
            assert_eq!(
                refused["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED",
                "{refused}"
            );
            old.gate.close();
            new.gate.close();
        }
    );
    assert_eq!(first, json!({ "data": { "seen": "old" } }));
    assert_eq!(second, json!({ "data": { "seen": "new" } }));
    shop.stop().await;
}
