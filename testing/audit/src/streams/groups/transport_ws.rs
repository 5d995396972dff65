//! `graphql-transport-ws`. Source: graphql-ws PROTOCOL.md, and the cases of its server's own tests.

use anyhow::ensure;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{
    Bytes, Message,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

use crate::streams::{
    case::{Case, Need, Outcome},
    socket::{Heard, PROTOCOL, Socket},
    target::Caller,
};

pub(super) fn cases() -> Vec<Case> {
    [
        handshake(),
        pings(),
        messages(),
        operations(),
        ids(),
        ends(),
        refusals(),
    ]
    .concat()
}

fn handshake() -> Vec<Case> {
    vec![
        Case::new("ack", "connection_init brings connection_ack", ack),
        Case::new("subprotocol", "chosen among those offered", subprotocol),
        Case::new("subprotocol-none", "4406", |caller| async move {
            Socket::connect(&caller, None).await?.closes(&[4406]).await
        }),
        Case::new(
            "subprotocol-legacy",
            "graphql-ws alone: 4406, or no upgrade",
            legacy,
        ),
        Case::new(
            "init-timeout",
            "4408 without connection_init",
            |caller| async move {
                let mut socket = Socket::connect(&caller, Some(PROTOCOL)).await?;
                socket.closes(&[4408]).await
            },
        ),
        Case::new("init-twice", "4429", |caller| async move {
            let mut socket = Socket::greeted(&caller).await?;
            socket.init(&caller).await?;
            socket.closes(&[4429]).await
        }),
        Case::new(
            "init-twice-at-once",
            "4429 also before the ack",
            |caller| async move {
                let mut socket = Socket::connect(&caller, Some(PROTOCOL)).await?;
                socket.init(&caller).await?;
                socket.init(&caller).await?;
                socket.closes(&[4429]).await
            },
        ),
        Case::new("subscribe-first", "4401", |caller| async move {
            let mut socket = Socket::connect(&caller, Some(PROTOCOL)).await?;
            socket.subscribe("a", caller.query()).await?;
            socket.closes(&[4401]).await
        }),
        Case::new(
            "init-refused",
            "a token that is none: 4403",
            |caller| async move {
                let mut socket = Socket::connect(&caller, Some(PROTOCOL)).await?;
                let payload = json!({"authorization": "Bearer nonsense"});
                socket
                    .say(&json!({"type": "connection_init", "payload": payload}))
                    .await?;
                socket.closes(&[4403]).await
            },
        )
        .needs(&[Need::Callers]),
        Case::new(
            "init-null",
            "payload may be null or absent",
            |caller| async move {
                let mut socket = Socket::connect(&caller, Some(PROTOCOL)).await?;
                socket
                    .say(&json!({"type": "connection_init", "payload": null}))
                    .await?;
                acknowledged(socket.message().await?)
            },
        ),
        Case::new(
            "client-leaves",
            "its close frame is answered",
            |caller| async move {
                let socket = Socket::greeted(&caller).await?;
                socket.leave().await?;
                Ok("closed".to_owned())
            },
        ),
    ]
}

fn pings() -> Vec<Case> {
    vec![
        Case::new("ping", "brings pong", |caller| async move {
            Socket::greeted(&caller).await?.lives().await?;
            Ok("pong".to_owned())
        }),
        Case::new(
            "ping-payload",
            "comes back with the pong",
            |caller| async move {
                let mut socket = Socket::greeted(&caller).await?;
                let payload = json!({"it's": "mine", "n": [1, null]});
                socket
                    .say(&json!({"type": "ping", "payload": payload}))
                    .await?;
                let pong = socket.message().await?;
                ensure!(
                    pong == json!({"type": "pong", "payload": payload}),
                    "{pong}"
                );
                Ok(pong.to_string())
            },
        ),
        Case::new(
            "ping-first",
            "is answered before connection_init",
            |caller| async move {
                let mut socket = Socket::connect(&caller, Some(PROTOCOL)).await?;
                socket.lives().await?;
                socket.init(&caller).await?;
                acknowledged(socket.message().await?)
            },
        ),
        Case::new("pong", "is not answered", |caller| async move {
            let mut socket = Socket::greeted(&caller).await?;
            socket.say(&json!({"type": "pong"})).await?;
            socket
                .say(&json!({"type": "pong", "payload": {"x": 1}}))
                .await?;
            socket.is_quiet().await?;
            socket.lives().await?;
            Ok("silence".to_owned())
        }),
        Case::new(
            "frame-ping",
            "WebSocket's own ping brings its pong",
            |caller| async move {
                let mut socket = Socket::greeted(&caller).await?;
                socket.send(Message::Ping(Bytes::from_static(b"x"))).await?;
                let came = socket.hear().await?;
                ensure!(matches!(came, Heard::Pong), "{came:?}");
                Ok("pong frame".to_owned())
            },
        ),
    ]
}

fn messages() -> Vec<Case> {
    vec![
        Case::new("fragments", "a message in several frames is one", fragments),
        Case::new("more-members", "are passed over", |caller| async move {
            let mut socket = Socket::greeted(&caller).await?;
            let payload = json!({"query": caller.query(), "more": [1]});
            socket
                .say(&json!({"id": "a", "type": "subscribe", "payload": payload, "more": {}}))
                .await?;
            answered(&mut socket, "a").await
        }),
        Case::new("nulls", "are as good as absent", |caller| async move {
            let mut socket = Socket::greeted(&caller).await?;
            let payload = json!({
                "query": caller.query(), "operationName": null, "variables": null, "extensions": null
            });
            socket
                .say(&json!({"id": "a", "type": "subscribe", "payload": payload}))
                .await?;
            answered(&mut socket, "a").await?;
            socket
                .say(&json!({"type": "ping", "payload": null}))
                .await?;
            let pong = socket.message().await?;
            ensure!(pong["type"] == "pong", "{pong}");
            Ok("next, complete, pong".to_owned())
        }),
        Case::new("complete-unknown", "is passed over", |caller| async move {
            let mut socket = Socket::greeted(&caller).await?;
            socket.complete("never").await?;
            socket.is_quiet().await?;
            socket.lives().await?;
            Ok("silence".to_owned())
        }),
    ]
}

fn operations() -> Vec<Case> {
    vec![
        Case::new("query", "next, complete", |caller| async move {
            let mut socket = Socket::greeted(&caller).await?;
            socket.subscribe("a", caller.query()).await?;
            answered(&mut socket, "a").await
        }),
        Case::new("mutation", "next, complete", |caller| async move {
            let mut socket = Socket::greeted(&caller).await?;
            let cause = caller.target.texts.cause.clone().unwrap_or_default();
            socket.subscribe("a", &cause).await?;
            answered(&mut socket, "a").await
        })
        .needs(&[Need::Cause]),
        Case::new("variables", "count", |caller| async move {
            let query = "query($no: Boolean!) { a: __typename @skip(if: $no) b: __typename }";
            let payload = json!({"query": query, "variables": {"no": true}});
            let data = run(&caller, payload).await?;
            ensure!(data == json!({"b": "Query"}), "{data}");
            Ok(data.to_string())
        }),
        Case::new("operation-name", "chooses", |caller| async move {
            let query = "query A { a: __typename } query B { b: __typename }";
            let data = run(&caller, json!({"query": query, "operationName": "B"})).await?;
            ensure!(data == json!({"b": "Query"}), "{data}");
            Ok(data.to_string())
        }),
        Case::new("subscription", "next for an event", |caller| async move {
            let mut socket = live(&caller, "a").await?;
            caller.cause().await?;
            let payload = socket.expect("next", "a").await?;
            ensure!(payload["data"].is_object(), "{payload}");
            Ok("next".to_owned())
        }),
    ]
}

fn ids() -> Vec<Case> {
    vec![
        Case::new(
            "duplicate",
            "the id of a running operation: 4409",
            |caller| async move {
                let mut socket = live(&caller, "a").await?;
                socket.subscribe("a", caller.query()).await?;
                socket.closes(&[4409]).await
            },
        ),
        Case::new(
            "duplicate-at-once",
            "4409 also while it is prepared",
            |caller| async move {
                let mut socket = Socket::greeted(&caller).await?;
                socket.subscribe("a", caller.subscription()).await?;
                socket.subscribe("a", caller.subscription()).await?;
                socket.closes(&[4409]).await
            },
        ),
        Case::new("several", "each has its own id", several),
        Case::new("many-queries", "fifty, each answered once", many_queries),
        Case::new(
            "ids-of-any-letters",
            "come back as they are",
            |caller| async move {
                let mut socket = Socket::greeted(&caller).await?;
                for id in ["ä\"\\ \u{1F600}", "__proto__", "constructor", "a b", "0"] {
                    socket.subscribe(id, caller.query()).await?;
                    answered(&mut socket, id).await?;
                }
                Ok("5 ids".to_owned())
            },
        ),
        Case::new(
            "id-again-after-query",
            "is free behind complete",
            |caller| async move {
                let mut socket = Socket::greeted(&caller).await?;
                for _ in 0..20 {
                    socket.subscribe("a", caller.query()).await?;
                    answered(&mut socket, "a").await?;
                }
                Ok("20 times".to_owned())
            },
        ),
    ]
}

fn ends() -> Vec<Case> {
    vec![
        Case::new(
            "complete-stops",
            "no frame and no complete behind it",
            |caller| async move {
                let mut socket = live(&caller, "a").await?;
                socket.complete("a").await?;
                socket.lives().await?;
                caller.cause().await?;
                socket.is_quiet().await?;
                Ok("silence".to_owned())
            },
        ),
        Case::new(
            "id-again-after-complete",
            "is free at once",
            |caller| async move {
                let mut socket = live(&caller, "a").await?;
                socket.complete("a").await?;
                socket.subscribe("a", caller.query()).await?;
                answered(&mut socket, "a").await
            },
        ),
        Case::new(
            "complete-at-once",
            "nothing of it comes",
            |caller| async move {
                let mut socket = Socket::greeted(&caller).await?;
                socket.subscribe("a", caller.subscription()).await?;
                socket.complete("a").await?;
                socket.lives().await?;
                caller.cause().await?;
                socket.is_quiet().await?;
                Ok("silence".to_owned())
            },
        ),
    ]
}

fn refusals() -> Vec<Case> {
    let texts: [(&str, &str, Value); 4] = [
        (
            "invalid",
            "error with a list of errors",
            json!({"query": "{ doesNotExist }"}),
        ),
        (
            "syntax",
            "error with a list of errors",
            json!({"query": "{"}),
        ),
        (
            "no-such-operation",
            "error with a list of errors",
            json!({"query": "query A { __typename }", "operationName": "B"}),
        ),
        (
            "no-operation",
            "a document of fragments alone: error",
            json!({"query": "fragment A on Query { __typename }"}),
        ),
    ];
    let refused = |(name, rule, payload): (&'static str, &'static str, Value)| {
        Case::new(name, rule, move |caller| {
            let payload = payload.clone();
            async move {
                let mut socket = Socket::greeted(&caller).await?;
                socket
                    .say(&json!({"id": "a", "type": "subscribe", "payload": payload}))
                    .await?;
                let errors = socket.expect("error", "a").await?;
                ensure!(errors[0]["message"].is_string(), "{errors}");
                // Nothing follows an error, and its id is free.
                socket.subscribe("a", caller.query()).await?;
                answered(&mut socket, "a").await?;
                Ok(format!("error: {}", errors[0]["message"]))
            }
        })
    };
    let mut cases: Vec<Case> = texts.into_iter().map(refused).collect();
    let rule = "error, or next without data";
    cases.push(Case::new("no-variable", rule, |caller| async move {
        let mut socket = Socket::greeted(&caller).await?;
        let query = "query($no: Boolean!) { __typename @skip(if: $no) }";
        socket.subscribe("a", query).await?;
        let said = socket.message().await?;
        let is_refused = said["type"] == "error"
            || said["type"] == "next"
                && said["payload"]["errors"].is_array()
                && said["payload"]["data"].is_null();
        ensure!(is_refused && said["id"] == "a", "{said}");
        Ok(said["type"].to_string())
    }));
    let rule = "a stream that may not be: error, and the socket lives";
    cases.push(
        Case::new("subscription-refused", rule, |caller| async move {
            let mut socket = Socket::greeted(&caller.nobody()).await?;
            socket.subscribe("a", caller.subscription()).await?;
            let errors = socket.expect("error", "a").await?;
            socket.lives().await?;
            Ok(errors[0]["extensions"]["code"].to_string())
        })
        .needs(&[Need::Callers]),
    );
    cases
}

async fn ack(caller: Caller) -> Outcome {
    let mut socket = Socket::connect(&caller, Some(PROTOCOL)).await?;
    socket.init(&caller).await?;
    acknowledged(socket.message().await?)
}

fn acknowledged(message: Value) -> Outcome {
    let payload = message.get("payload");
    let is_form = payload.is_none_or(|payload| payload.is_null() || payload.is_object());
    ensure!(message["type"] == "connection_ack" && is_form, "{message}");
    Ok("connection_ack".to_owned())
}

async fn subprotocol(caller: Caller) -> Outcome {
    let offers = [
        PROTOCOL,
        "graphql-ws, graphql-transport-ws",
        "graphql-transport-ws, other",
    ];
    for offer in offers {
        let socket = Socket::connect(&caller, Some(offer)).await?;
        let chosen = socket.protocol.as_deref();
        ensure!(chosen == Some(PROTOCOL), "{chosen:?} of {offer}");
    }
    Ok(PROTOCOL.to_owned())
}

async fn legacy(caller: Caller) -> Outcome {
    match Socket::connect(&caller, Some("graphql-ws")).await {
        Ok(mut socket) => socket.closes(&[4406]).await,
        Err(error) => Ok(format!("no upgrade: {error}")),
    }
}

async fn fragments(caller: Caller) -> Outcome {
    let mut socket = Socket::greeted(&caller).await?;
    let text = json!({"id": "a", "type": "subscribe", "payload": {"query": caller.query()}});
    let text = text.to_string();
    let (first, rest) = text.split_at(text.len() / 2);
    for (part, code, is_last) in [(first, Data::Text, false), (rest, Data::Continue, true)] {
        let frame = Frame::message(part.to_owned(), OpCode::Data(code), is_last);
        socket.send(Message::Frame(frame)).await?;
    }
    answered(&mut socket, "a").await
}

async fn several(caller: Caller) -> Outcome {
    let mut socket = live(&caller, "a").await?;
    socket.subscribe("b", caller.subscription()).await?;
    settle(&mut socket, &caller).await?;
    caller.cause().await?;
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 2 {
        let message = socket.message().await?;
        ensure!(message["type"] == "next", "{message}");
        seen.insert(message["id"].to_string());
    }
    Ok(format!("next for {seen:?}"))
}

async fn many_queries(caller: Caller) -> Outcome {
    let mut socket = Socket::greeted(&caller).await?;
    for id in 0..50 {
        socket.subscribe(&id.to_string(), caller.query()).await?;
    }
    let mut state = std::collections::HashMap::<String, u8>::new();
    for _ in 0..100 {
        let message = socket.message().await?;
        let count = state.entry(message["id"].to_string()).or_default();
        let right = if *count == 0 { "next" } else { "complete" };
        ensure!(message["type"] == right, "{message} for {right}");
        *count += 1;
    }
    ensure!(state.len() == 50, "{} ids", state.len());
    socket.is_quiet().await?;
    Ok("50 answers".to_owned())
}

/// A socket on which the endless subscription runs.
async fn live(caller: &Caller, id: &str) -> anyhow::Result<Socket> {
    let mut socket = Socket::greeted(caller).await?;
    socket.subscribe(id, caller.subscription()).await?;
    settle(&mut socket, caller).await?;
    Ok(socket)
}

/// Gives a subscription the time to begin: nothing in the protocol says when it has.
async fn settle(socket: &mut Socket, caller: &Caller) -> anyhow::Result<()> {
    if caller.target.texts.cause.is_some() {
        socket.is_quiet().await?;
    }
    Ok(())
}

/// Looks that an operation is answered and over.
async fn answered(socket: &mut Socket, id: &str) -> Outcome {
    let payload = socket.expect("next", id).await?;
    ensure!(
        payload["data"].is_object() && payload.get("errors").is_none(),
        "{payload}"
    );
    socket.expect("complete", id).await?;
    Ok("next, complete".to_owned())
}

/// The data of an operation.
async fn run(caller: &Caller, payload: Value) -> anyhow::Result<Value> {
    let mut socket = Socket::greeted(caller).await?;
    socket
        .say(&json!({"id": "a", "type": "subscribe", "payload": payload}))
        .await?;
    let answer = socket.expect("next", "a").await?;
    socket.expect("complete", "a").await?;
    ensure!(answer.get("errors").is_none(), "{answer}");
    Ok(answer["data"].clone())
}
