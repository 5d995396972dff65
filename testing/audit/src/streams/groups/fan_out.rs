//! Many who look on: each has each event once, and in order.

use std::collections::{HashMap, HashSet};

use anyhow::{Context as _, ensure};
use futures::{StreamExt as _, TryStreamExt as _, future::try_join_all, stream};
use serde_json::Value;

use crate::streams::{
    case::{Case, Need, Outcome},
    events::Events,
    socket::Socket,
    stream::{Stream, Transport, event},
    target::{Caller, Texts},
};

/// How often events are caused.
const CAUSES: usize = 3;

pub(super) fn cases() -> Vec<Case> {
    let cases = vec![
        Case::new("sse", "200 streams, each event once, in order", |caller| {
            watched(caller, vec![Transport::Sse], 200)
        }),
        Case::new("ws", "200 sockets, the same", |caller| {
            watched(caller, vec![Transport::WebSocket], 200)
        }),
        Case::new("multipart", "200 streams, the same", |caller| {
            watched(caller, vec![Transport::Multipart], 200)
        }),
        Case::new("mixed", "the same events over each transport", |caller| {
            let transports = vec![Transport::Sse, Transport::WebSocket, Transport::Multipart];
            watched(caller, transports, 60)
        }),
        Case::new(
            "one-socket",
            "50 operations of a socket, the same",
            one_socket,
        ),
        Case::new(
            "slow",
            "one who reads nothing delays nobody",
            |caller| async move {
                let slow = Events::open(&caller, caller.subscription()).await?;
                let silent =
                    Stream::open(&caller, Transport::WebSocket, caller.subscription(), None);
                let silent = silent.await?;
                let said = watched(caller, vec![Transport::Sse, Transport::WebSocket], 20).await?;
                drop((slow, silent));
                Ok(said)
            },
        ),
    ];
    cases
        .into_iter()
        .map(|case| case.needs(&[Need::Cause]))
        .collect()
}

/// Opens so many streams, causes events, and looks that each stream has them all.
async fn watched(caller: Caller, transports: Vec<Transport>, count: usize) -> Outcome {
    let which = transports.into_iter().cycle().take(count);
    let opening = stream::iter(which)
        .map(|transport| Stream::open(&caller, transport, caller.subscription(), None))
        .buffered(20);
    let mut streams: Vec<Stream> = opening.try_collect().await?;
    settle().await;
    for _ in 0..CAUSES {
        caller.cause().await?;
    }
    let events = CAUSES * caller.target.texts.per_cause;
    let each = streams.iter_mut().map(|stream| stream.events(events));
    let seen = try_join_all(each).await?;
    agree(&caller.target.texts, &seen)?;
    for stream in streams.iter_mut().step_by(50) {
        if let Stream::Sse(stream) = stream {
            stream.is_quiet().await?;
        }
    }
    Ok(format!("{count} × {events} events"))
}

/// A WebSocket does not say that a stream is open.
async fn settle() {
    tokio::time::sleep(crate::streams::case::QUIET).await;
}

async fn one_socket(caller: Caller) -> Outcome {
    let mut socket = Socket::greeted(&caller).await?;
    for id in 0..50 {
        socket
            .subscribe(&id.to_string(), caller.subscription())
            .await?;
    }
    settle().await;
    for _ in 0..CAUSES {
        caller.cause().await?;
    }
    let events = CAUSES * caller.target.texts.per_cause;
    let mut seen = HashMap::<String, Vec<Value>>::new();
    for came in 0..50 * events {
        let message = socket.message().await;
        let message = message.with_context(|| format!("{came} frames came"))?;
        ensure!(message["type"] == "next", "{message}");
        let of_id = seen.entry(message["id"].to_string()).or_default();
        of_id.push(event(&message["payload"])?);
    }
    socket.is_quiet().await?;
    ensure!(seen.len() == 50, "{} ids", seen.len());
    let seen: Vec<Vec<Value>> = seen.into_values().collect();
    agree(&caller.target.texts, &seen)?;
    Ok(format!("50 × {events} events"))
}

/// Looks that everybody saw the same, nothing twice, and what has one key in one order.
pub(super) fn agree(texts: &Texts, seen: &[Vec<Value>]) -> anyhow::Result<()> {
    let first = seen.first().map(|events| by_key(texts, events));
    for (number, events) in seen.iter().enumerate() {
        let different: HashSet<String> = events.iter().map(Value::to_string).collect();
        ensure!(
            different.len() == events.len(),
            "stream {number} has an event twice: {events:?}"
        );
        let own = Some(by_key(texts, events));
        ensure!(
            own == first,
            "stream {number} saw {own:?}, the first {first:?}"
        );
    }
    Ok(())
}

fn by_key(texts: &Texts, events: &[Value]) -> HashMap<String, Vec<String>> {
    let mut by_key = HashMap::<String, Vec<String>>::new();
    for event in events {
        let key = texts.key.as_deref().map(|key| event[key].to_string());
        by_key
            .entry(key.unwrap_or_default())
            .or_default()
            .push(event.to_string());
    }
    by_key
}
