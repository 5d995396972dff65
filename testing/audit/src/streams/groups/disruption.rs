//! Connections that break and processes that end: who resumes has each event once.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use super::fan_out::agree;
use crate::streams::{
    case::{Case, Need, Outcome, WAIT},
    events::Events,
    socket::Socket,
    stream::{Stream, Transport, event},
    target::Caller,
};

const MINE: &str = "subscription { myOrderEvents { orderId version } }";
const TRANSPORTS: [Transport; 4] = [
    Transport::Sse,
    Transport::WebSocket,
    Transport::Multipart,
    Transport::Single,
];

pub(super) fn cases() -> Vec<Case> {
    const OWN: &[Need] = &[Need::Router, Need::Resume];
    vec![
        Case::new(
            "connection-breaks",
            "a new one has what comes next",
            |caller| async move {
                for transport in [Transport::Sse, Transport::WebSocket] {
                    let query = caller.subscription();
                    drop(Stream::open(&caller, transport, query, None).await?);
                    let mut again = Stream::open(&caller, transport, query, None).await?;
                    tokio::time::sleep(crate::streams::case::QUIET).await;
                    caller.cause().await?;
                    again.event().await?;
                }
                Ok("next".to_owned())
            },
        ),
        Case::new(
            "connection-resumes",
            "nothing lost, nothing twice",
            |caller| async move { followed(caller, async |_| Ok(())).await },
        )
        .needs(&[Need::Resume]),
        Case::new(
            "kill",
            "kill -9 of the router: nothing lost, nothing twice",
            |caller| async move {
                followed(caller, async |caller: &Caller| end(caller, false).await).await
            },
        )
        .needs(OWN),
        Case::new(
            "drain",
            "SIGTERM of the router: the same",
            |caller| async move {
                followed(caller, async |caller: &Caller| end(caller, true).await).await
            },
        )
        .needs(OWN),
        Case::new(
            "drain-ws",
            "1012 with a place to resume, no error, no complete",
            |caller| async move {
                let mut socket = Socket::greeted(&caller).await?;
                socket.subscribe("a", MINE).await?;
                socket.is_quiet().await?;
                let (ended, said) = tokio::join!(end(&caller, true), farewell(&mut socket));
                ended?;
                said
            },
        )
        .needs(OWN),
        Case::new(
            "drain-sse",
            "the body breaks off behind retry, no complete",
            |caller| async move {
                let mut events = Events::open(&caller, MINE).await?;
                events.comment().await?;
                let (ended, last) = tokio::join!(end(&caller, true), events.next());
                ended?;
                ensure!(last.is_err(), "{last:?} for a break");
                let said = events.comments.iter().any(|it| it == "SERVER_DRAINING");
                ensure!(said && events.retry.is_some(), "{:?}", events.comments);
                Ok("SERVER_DRAINING, and the body broke off".to_owned())
            },
        )
        .needs(OWN),
    ]
}

async fn farewell(socket: &mut Socket) -> Outcome {
    match socket.hear().await? {
        crate::streams::socket::Heard::Closed(1012, reason) => Ok(format!("1012 {reason}")),
        other => bail!("{other:?} for a close"),
    }
}

async fn end(caller: &Caller, is_orderly: bool) -> anyhow::Result<()> {
    let router = caller.target.router.as_ref().context("no process")?;
    router.end(is_orderly).await
}

/// Three orders before and three after, and between them what is given; clients of every transport that resume.
async fn followed(caller: Caller, disrupt: impl AsyncFn(&Caller) -> anyhow::Result<()>) -> Outcome {
    let per_round = 3 * caller.target.texts.per_cause;
    let mut all = Vec::new();
    for transport in TRANSPORTS {
        let mut followed = Followed::open(&caller, transport).await?;
        followed.take(&caller, 0).await?;
        all.push(followed);
    }
    caused(&caller, 3).await?;
    for followed in &mut all {
        followed.take(&caller, per_round).await?;
        // Some of the events come while nobody listens.
        followed.stream = None;
    }
    caused(&caller, 1).await?;
    disrupt(&caller).await?;
    caused(&caller, 2).await?;
    for followed in &mut all {
        followed.take(&caller, 2 * per_round).await?;
    }
    let seen: Vec<Vec<Value>> = all.into_iter().map(|it| it.seen).collect();
    agree(&caller.target.texts, &seen)?;
    Ok(format!("{} × {} events", seen.len(), 2 * per_round))
}

async fn caused(caller: &Caller, count: usize) -> anyhow::Result<()> {
    for _ in 0..count {
        caller.cause().await?;
    }
    Ok(())
}

/// A client that keeps its last cursor.
#[derive(Debug)]
struct Followed {
    transport: Transport,
    cursor: Option<String>,
    stream: Option<Stream>,
    seen: Vec<Value>,
}

impl Followed {
    async fn open(caller: &Caller, transport: Transport) -> anyhow::Result<Self> {
        // The place of the beginning is the same whichever transport asks.
        let (_, ack) = Socket::greeting(caller).await?;
        let cursor = ack["payload"]["cursor"].as_str().map(str::to_owned);
        Ok(Self {
            transport,
            cursor,
            stream: None,
            seen: Vec::new(),
        })
    }

    /// Follows until so many events have been seen.
    async fn take(&mut self, caller: &Caller, count: usize) -> anyhow::Result<()> {
        let taking = async {
            while self.seen.len() < count {
                self.step(caller).await?;
            }
            Ok(())
        };
        let took = tokio::time::timeout(WAIT, taking).await;
        let (transport, seen) = (self.transport, self.seen.len());
        took.with_context(|| format!("{seen} of {count} events came over {transport:?}"))?
    }

    async fn step(&mut self, caller: &Caller) -> anyhow::Result<()> {
        let Some(stream) = &mut self.stream else {
            let opened = Stream::open(caller, self.transport, MINE, self.cursor.as_deref()).await;
            self.stream = opened.ok();
            if self.stream.is_none() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            return Ok(());
        };
        let Ok(frame) = stream.frame().await else {
            self.stream = None;
            return Ok(());
        };
        self.seen.push(event(&frame)?);
        let cursor = frame["extensions"]["cursor"].as_str();
        self.cursor = Some(cursor.context("a frame without a cursor")?.to_owned());
        Ok(())
    }
}
