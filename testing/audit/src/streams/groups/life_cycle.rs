//! How streams begin and end, and what of one is not another's.

use anyhow::{bail, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};

use crate::streams::{
    case::{Case, Need, Outcome},
    events::Events,
    socket::Socket,
    stream::{Stream, Transport},
    target::Caller,
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("end-ws", "complete behind the last event", end_ws).needs(&[Need::Finite]),
        Case::new("end-sse", "event complete, the end of the body", end_sse).needs(&[Need::Finite]),
        Case::new(
            "no-past",
            "a stream begins with what comes next",
            |caller| async move {
                caller.cause().await?;
                // The events of the cause must be on their way to everybody.
                tokio::time::sleep(crate::streams::case::QUIET).await;
                let mut events = Events::open(&caller, caller.subscription()).await?;
                events.is_quiet().await?;
                caller.cause().await?;
                events.frame().await?;
                Ok("only the second".to_owned())
            },
        )
        .needs(&[Need::Cause]),
        Case::new(
            "own-events",
            "another caller's events do not come",
            |caller| async move {
                let other = caller.target.caller().await?;
                let mut events = Events::open(&caller, caller.subscription()).await?;
                other.cause().await?;
                events.is_quiet().await?;
                caller.cause().await?;
                events.frame().await?;
                Ok("only own".to_owned())
            },
        )
        .needs(&[Need::Callers, Need::Cause]),
        Case::new("one-stops", "the others of the socket go on", one_stops).needs(&[Need::Cause]),
        Case::new(
            "socket-breaks",
            "the others of the caller go on",
            |caller| async move {
                let mut stays = Events::open(&caller, caller.subscription()).await?;
                drop(
                    Stream::open(&caller, Transport::WebSocket, caller.subscription(), None)
                        .await?,
                );
                caller.cause().await?;
                stays.frame().await?;
                Ok("next".to_owned())
            },
        ),
        Case::new("churn", "500 sockets come and go", churn),
        Case::new(
            "idle-lives",
            "a quiet socket outlives its signs of life",
            idle_lives,
        )
        .needs(&[Need::Cause]),
        Case::new(
            "fresh-token",
            "a ping with a token renews the socket's",
            |caller| async move {
                let (mut socket, _) = Socket::greeting(&caller).await?;
                socket
                    .say(&json!({"type": "ping", "payload": caller.init}))
                    .await?;
                let pong = socket.message().await?;
                ensure!(pong["payload"]["expiresAt"].is_string(), "{pong}");
                Ok(pong["payload"].to_string())
            },
        )
        .needs(&[Need::Callers]),
        Case::new("token-of-another", "does not: 4403", |caller| async move {
            let other = caller.target.caller().await?;
            let mut socket = Socket::greeted(&caller).await?;
            socket
                .say(&json!({"type": "ping", "payload": other.init}))
                .await?;
            socket.closes(&[4403]).await
        })
        .needs(&[Need::Callers]),
    ]
}

async fn end_ws(caller: Caller) -> Outcome {
    let (text, id) = caller.finite().await?;
    let mut socket = Socket::greeted(&caller).await?;
    socket.subscribe("a", &text).await?;
    let mut frames = 0;
    let mut is_finished = false;
    loop {
        let message = socket.message().await?;
        match message["type"].as_str() {
            Some("next") => frames += 1,
            Some("complete") => break,
            _ => bail!("{message}"),
        }
        if !is_finished {
            is_finished = true;
            caller.finish(id.as_deref()).await?;
        }
    }
    // The id is free.
    socket.subscribe("a", caller.query()).await?;
    socket.expect("next", "a").await?;
    Ok(format!("{frames} frames, complete"))
}

async fn end_sse(caller: Caller) -> Outcome {
    let (text, id) = caller.finite().await?;
    let mut events = Events::open(&caller, &text).await?;
    let mut frames = 0;
    loop {
        match events.next().await? {
            Some(event) if event.name == "next" => frames += 1,
            Some(event) if event.name == "complete" => break,
            other => bail!("{other:?}"),
        }
        if frames == 1 {
            caller.finish(id.as_deref()).await?;
        }
    }
    let more = events.next().await?;
    ensure!(more.is_none(), "{more:?} behind complete");
    Ok(format!("{frames} frames, complete"))
}

async fn one_stops(caller: Caller) -> Outcome {
    let mut socket = Socket::greeted(&caller).await?;
    for id in ["a", "b"] {
        socket.subscribe(id, caller.subscription()).await?;
    }
    socket.is_quiet().await?;
    socket.complete("a").await?;
    socket.lives().await?;
    caller.cause().await?;
    for _ in 0..caller.target.texts.per_cause {
        socket.expect("next", "b").await?;
    }
    socket.is_quiet().await?;
    Ok("only b".to_owned())
}

async fn churn(caller: Caller) -> Outcome {
    let comes_and_goes = async |number: usize| {
        let mut socket = Socket::greeted(&caller).await?;
        socket.subscribe("a", caller.subscription()).await?;
        if number.is_multiple_of(2) {
            socket.leave().await?;
        }
        Ok::<_, anyhow::Error>(())
    };
    let all = stream::iter(0..500)
        .map(comes_and_goes)
        .buffer_unordered(20);
    all.try_for_each(async |()| Ok(())).await?;
    let mut events = Events::open(&caller, caller.subscription()).await?;
    caller.cause().await?;
    events.frame().await?;
    Ok("and the next stream has its event".to_owned())
}

/// The server closes a socket whose client is silent; this one answers its pings.
async fn idle_lives(caller: Caller) -> Outcome {
    let mut socket = Socket::greeted(&caller).await?;
    socket.subscribe("a", caller.subscription()).await?;
    let quiet = crate::streams::case::WAIT / 3;
    let came = tokio::time::timeout(quiet, socket.hear()).await;
    ensure!(came.is_err(), "{came:?}");
    caller.cause().await?;
    let frame: Value = socket.expect("next", "a").await?;
    ensure!(frame["data"].is_object(), "{frame}");
    Ok(format!("next after {quiet:?}"))
}
