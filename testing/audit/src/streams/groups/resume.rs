//! Going on behind a cursor. No standard says how; the rules are those of docs/streams.md.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::streams::{
    case::{Case, Need, Outcome},
    events::{ACCEPT, Events},
    socket::Socket,
    stream::{Stream, Transport, event},
    target::Caller,
};

const MINE: &str = "subscription { myOrderEvents { orderId version cursor } }";
const WITH: [Transport; 4] = [
    Transport::Sse,
    Transport::WebSocket,
    Transport::Multipart,
    Transport::Single,
];

pub(super) fn cases() -> Vec<Case> {
    let cases = [places(), openings(), wrong()].concat();
    let cases = cases.into_iter();
    cases.map(|case| case.needs(&[Need::Resume])).collect()
}

fn places() -> Vec<Case> {
    vec![
        Case::new(
            "three-places",
            "id, extensions.cursor and the field agree",
            three_places,
        ),
        Case::new("last-event-id", "the header resumes", |caller| async move {
            let frames = history(&caller).await?;
            let mut events = by_header(&caller, MINE, &frames[0].cursor).await?;
            same(&frames[1], &events.frame().await?)
        }),
        Case::new(
            "extension",
            "extensions.resume, over each transport",
            |caller| async move {
                let frames = history(&caller).await?;
                for transport in WITH {
                    let resume = Some(frames[0].cursor.as_str());
                    let mut stream = Stream::open(&caller, transport, MINE, resume).await?;
                    let frame = stream.frame().await;
                    let frame = frame.with_context(|| format!("{transport:?}"))?;
                    same(&frames[1], &frame)?;
                }
                Ok("4 transports".to_owned())
            },
        ),
        Case::new("argument", "after", |caller| async move {
            let frames = history(&caller).await?;
            let mut events = Events::open(&caller, &after(&frames[0].cursor)).await?;
            same(&frames[1], &events.frame().await?)
        }),
        Case::new(
            "newest-wins",
            "header before extension before argument",
            newest,
        ),
        Case::new(
            "empty-header",
            "an empty Last-Event-ID is none",
            |caller| async move {
                let frames = history(&caller).await?;
                let mut events = by_header(&caller, &after(&frames[1].cursor), "").await?;
                same(&frames[2], &events.frame().await?)
            },
        ),
        Case::new("every-cut", "from each frame on, the rest once", every_cut),
    ]
}

fn openings() -> Vec<Case> {
    vec![
        Case::new(
            "opening-sse",
            "the first id is before the first event",
            opening_sse,
        ),
        Case::new(
            "opening-header",
            "X-Stream-Cursor, over each HTTP transport",
            opening_header,
        ),
        Case::new(
            "opening-ws",
            "payload.cursor of connection_ack",
            |caller| async move {
                let (socket, ack) = Socket::greeting(&caller).await?;
                drop(socket);
                let cursor = ack["payload"]["cursor"]
                    .as_str()
                    .context("no cursor")?
                    .to_owned();
                from_opening(&caller, Transport::WebSocket, &cursor).await
            },
        ),
        Case::new(
            "gap-free-null",
            "extensions.resume null is none",
            |caller| async move {
                let mut events =
                    open_with(&caller, Transport::Sse, json!({"resume": null})).await?;
                caller.cause().await?;
                event(&events.frame().await?)?;
                Ok("next".to_owned())
            },
        ),
    ]
}

/// What is no cursor is refused, wherever it is; a stream never begins "now" for it.
fn wrong() -> Vec<Case> {
    let values = [
        ("wrong-text", json!("nonsense")),
        ("wrong-empty", json!("")),
        ("wrong-number", json!(7)),
        ("wrong-object", json!({"cursor": "x"})),
    ];
    let mut cases = values
        .map(|(name, value)| {
            let rule = "INVALID_ARGUMENT, as 400 or in the stream";
            Case::new(name, rule, move |caller| {
                let value = value.clone();
                async move {
                    let extensions = json!({ "resume": value });
                    let body = json!({"query": MINE, "extensions": extensions});
                    let response = caller.post(ACCEPT, &body).await?;
                    if response.status() == 400 {
                        invalid(&response.json().await?)?;
                    } else {
                        invalid(&Events::of(response)?.frame().await?)?;
                    }
                    let ws = Transport::WebSocket;
                    let mut stream = open_with(&caller, ws, extensions).await?;
                    invalid(&stream.frame().await?)?;
                    Ok("INVALID_ARGUMENT".to_owned())
                }
            })
        })
        .to_vec();
    cases.push(Case::new(
        "wrong-header",
        "INVALID_ARGUMENT",
        |caller| async move {
            let mut events = by_header(&caller, MINE, "nonsense").await?;
            invalid(&events.frame().await?)?;
            events.ends().await?;
            Ok("INVALID_ARGUMENT".to_owned())
        },
    ));
    cases.push(Case::new(
        "wrong-argument",
        "INVALID_ARGUMENT",
        |caller| async move {
            let mut events = Events::open(&caller, &after("nonsense")).await?;
            invalid(&events.frame().await?)?;
            Ok("INVALID_ARGUMENT".to_owned())
        },
    ));
    cases
}

#[derive(Debug)]
struct Frame {
    event: Value,
    cursor: String,
}

/// The beginning of a stream, and behind it three events of one order: those of one order have one order.
async fn history(caller: &Caller) -> anyhow::Result<Vec<Frame>> {
    let mut events = Events::open(caller, MINE).await?;
    let opening = events
        .header("x-stream-cursor")
        .context("no cursor of the beginning")?;
    let mut frames = vec![Frame {
        event: Value::Null,
        cursor: opening.to_owned(),
    }];
    let (_, id) = caller.finite().await?;
    caller.finish(id.as_deref()).await?;
    while frames.len() < 4 {
        let event = event(&events.frame().await?)?;
        let cursor = events.last_id.clone().context("no id")?;
        frames.push(Frame { event, cursor });
    }
    Ok(frames)
}

async fn by_header(caller: &Caller, query: &str, cursor: &str) -> anyhow::Result<Events> {
    let request = caller.request(reqwest::Method::POST, &caller.target.url);
    let request = request
        .header("accept", ACCEPT)
        .header("last-event-id", cursor);
    Events::of(request.json(&json!({ "query": query })).send().await?)
}

async fn open_with(
    caller: &Caller,
    transport: Transport,
    extensions: Value,
) -> anyhow::Result<Stream> {
    Stream::open_with(caller, transport, MINE, extensions).await
}

fn after(cursor: &str) -> String {
    MINE.replace(
        "myOrderEvents",
        &format!("myOrderEvents(after: \"{cursor}\")"),
    )
}

/// Looks that a frame is the right one.
fn same(right: &Frame, came: &Value) -> Outcome {
    let came = event(came)?;
    ensure!(came == right.event, "{came} for {}", right.event);
    Ok("the frame behind it".to_owned())
}

fn invalid(response: &Value) -> anyhow::Result<()> {
    let code = &response["errors"][0]["extensions"]["code"];
    ensure!(code == "INVALID_ARGUMENT", "{response}");
    Ok(())
}

async fn three_places(caller: Caller) -> Outcome {
    let mut events = Events::open(&caller, MINE).await?;
    caller.cause().await?;
    let frame = events.frame().await?;
    let places = [
        events.last_id.as_deref(),
        frame["extensions"]["cursor"].as_str(),
        frame["data"]["myOrderEvents"]["cursor"].as_str(),
    ];
    let is_one = places[0].is_some() && places.iter().all(|place| *place == places[0]);
    ensure!(is_one, "{places:?}");
    Ok("one cursor".to_owned())
}

async fn newest(caller: Caller) -> Outcome {
    let frames = history(&caller).await?;
    let cursor = |frame: usize| frames[frame].cursor.as_str();
    let request = caller.request(reqwest::Method::POST, &caller.target.url);
    let request = request
        .header("accept", ACCEPT)
        .header("last-event-id", cursor(2));
    let extensions = json!({"resume": cursor(1)});
    let body = json!({"query": after(cursor(0)), "extensions": extensions});
    let mut events = Events::of(request.json(&body).send().await?)?;
    same(&frames[3], &events.frame().await?)?;
    let resume = Some(cursor(1));
    let mut stream = Stream::open(&caller, Transport::WebSocket, &after(cursor(0)), resume).await?;
    same(&frames[2], &stream.frame().await?)?;
    Ok("the header, then the extension".to_owned())
}

async fn every_cut(caller: Caller) -> Outcome {
    let frames = history(&caller).await?;
    let text = |event: &Value| format!("{}/{}", event["orderId"], event["version"]);
    for cut in 0..frames.len() {
        let mut events = by_header(&caller, MINE, &frames[cut].cursor).await?;
        let mut rest = Vec::new();
        for _ in cut + 1..frames.len() {
            rest.push(text(&event(&events.frame().await?)?));
        }
        let mut right: Vec<String> = frames[cut + 1..].iter().map(|it| text(&it.event)).collect();
        rest.sort();
        right.sort();
        ensure!(
            rest == right,
            "{rest:?} behind frame {cut}, right is {right:?}"
        );
        events.is_quiet().await?;
    }
    Ok(format!("{} cuts", frames.len()))
}

async fn opening_sse(caller: Caller) -> Outcome {
    let mut events = Events::open(&caller, MINE).await?;
    events.comment().await?;
    let cursor = events
        .last_id
        .clone()
        .context("no id before the first event")?;
    ensure!(events.retry.is_some(), "no retry");
    drop(events);
    from_opening(&caller, Transport::Sse, &cursor).await
}

async fn opening_header(caller: Caller) -> Outcome {
    for accept in [ACCEPT, crate::streams::parts::ACCEPT] {
        let response = caller.post(accept, &json!({"query": MINE})).await?;
        let cursor = response
            .headers()
            .get("x-stream-cursor")
            .context("no header")?;
        let cursor = cursor.to_str()?.to_owned();
        drop(response);
        from_opening(&caller, Transport::Multipart, &cursor).await?;
    }
    Ok("nothing is missed".to_owned())
}

/// What happened since the opening comes to whoever resumes there.
async fn from_opening(caller: &Caller, transport: Transport, cursor: &str) -> Outcome {
    caller.cause().await?;
    let mut stream = Stream::open(caller, transport, MINE, Some(cursor)).await?;
    let versions = stream.events(2).await?;
    let right = [1, 2].map(Value::from);
    let came: Vec<&Value> = versions.iter().map(|event| &event["version"]).collect();
    ensure!(came == right.iter().collect::<Vec<_>>(), "{versions:?}");
    Ok("nothing is missed".to_owned())
}
