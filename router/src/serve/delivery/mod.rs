//! Writes a stream into an HTTP body, in whichever form, at the pace of its client.
//!
//! Frames are taken from the subscription one by one, each when the one before is out of hand: while the client reads nothing,
//! nothing more is read from the log. Invariant: a frame is never dropped; the stream of a client that reads nothing for too long
//! is broken off, and resumes behind its last cursor. A stream that stops before its end is broken off too, without an error and
//! without a completion, because clients take either for the end.

mod encoding;
mod multipart;
mod pieces;
mod sse;

use std::{pin::pin, time::Duration};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use chassis::{
    crash,
    listen::{Ending, Gone, Outlet, lasting},
};
use schema::code::ErrorCode;
use tokio::{sync::mpsc, time::timeout};

use self::multipart::Multipart;
pub(super) use self::{encoding::Encoding, pieces::Piece, sse::Sse};
use super::{gateway::Gateway, negotiate::Media, telemetry};
use crate::{
    error::RequestError,
    stream::{End, Heartbeats, Share, Subscription},
};

/// The task of a stream whose connection has others.
const TASK: &str = "subscription";
/// Before this a client need not come back, and how far a crowd of them is spread.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const SPREAD: Duration = Duration::from_secs(4);

/// The cursor of a stream's beginning, for forms that have no place for it.
pub(super) const STREAM_CURSOR: HeaderName = HeaderName::from_static("x-stream-cursor");

/// How a client wants its stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    pub(super) media: Media,
    /// Whether it wants to be told by an error why the stream stops before its end.
    pub(super) tells_end: bool,
}

/// The response to a subscription: frames until the stream ends or its client goes.
pub(super) fn stream(gateway: &Gateway, subscription: Subscription, form: Form) -> Response {
    match form.media {
        Media::Multipart => start(gateway, subscription, Multipart, form.tells_end),
        Media::EventStream | Media::Json | Media::GraphqlResponse => {
            start(gateway, subscription, Sse, form.tells_end)
        }
    }
}

/// One response in the form of a stream.
pub(super) fn single(body: &Bytes, media: Media) -> Response {
    whole(media, |encoding| {
        [encoding.next(None, body), encoding.end(None)].concat()
    })
}

/// A refusal in the form of a stream, where an `EventSource` can read it.
pub(super) fn refused(error: &RequestError, media: Media) -> Response {
    whole(media, |encoding| encoding.end(Some(error)).to_vec())
}

/// A stream that could not be opened. Where it may be later, its client is told when to try, and not that all is said; one
/// that resumes hears of no error either.
pub(super) fn not_opened(
    end: End,
    form: Form,
    traced: impl FnOnce(RequestError) -> RequestError,
) -> Response {
    let error = match end {
        // The multipart format has no way to say so but an error.
        End::Interrupted(why) if !form.tells_end && form.media != Media::Multipart => {
            why.error.count();
            let (code, pause) = (why.error.code(), pause(Some(&why.error)));
            return whole(form.media, |encoding| {
                encoding.break_off(code, pause).to_vec()
            });
        }
        End::Interrupted(why) => traced(why.error),
        End::Refused(error) => traced(error),
        End::Complete => return whole(form.media, |encoding| encoding.end(None).to_vec()),
    };
    if !error.code().retryable() {
        return refused(&error, form.media);
    }
    let pause = pause(Some(&error));
    whole(form.media, |encoding| {
        encoding.come_back(&error, pause).to_vec()
    })
}

/// How long a client should wait before it connects again: 1 to 5 s, each another time, and not before a refusal says so.
pub(super) fn pause(error: Option<&RequestError>) -> Duration {
    let least = error.and_then(RequestError::retry_after);
    let least = least.unwrap_or_default().max(SHORTEST_PAUSE);
    least + Share::take().of(SPREAD)
}

fn whole(media: Media, write: impl FnOnce(&dyn Encoding) -> Vec<u8>) -> Response {
    let encoding: &dyn Encoding = if media == Media::Multipart {
        &Multipart
    } else {
        &Sse
    };
    let mut text = encoding.opening().to_vec();
    text.extend(write(encoding));
    respond(encoding, Body::from(text), None)
}

fn respond(encoding: &(impl Encoding + ?Sized), body: Body, cursor: Option<&str>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, encoding.content_type()),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // Proxies that buffer responses would hold frames back.
        (
            HeaderName::from_static("x-accel-buffering"),
            HeaderValue::from_static("no"),
        ),
    ];
    let mut response = (headers, body).into_response();
    let cursor = HeaderValue::from_str(cursor.unwrap_or_default());
    if let Some(cursor) = cursor.ok().filter(|cursor| !cursor.is_empty()) {
        response.headers_mut().insert(STREAM_CURSOR, cursor);
    }
    response
}

/// An event stream of the pieces, which began at `cursor`.
pub(super) fn event_stream(
    gateway: &Gateway,
    mut pieces: mpsc::Receiver<Piece>,
    cursor: Option<&str>,
) -> Response {
    let head = respond(&Sse, Body::empty(), cursor);
    lasting(head, &gateway.tasks, TASK, async move |outlet: Outlet| {
        let ending = tokio::select! {
            Ok(ending) = pass(&mut pieces, &outlet) => ending,
            () = outlet.gone() => return,
        };
        outlet.end(Bytes::new(), ending).await;
    })
}

/// Puts each piece when the one before has been taken.
async fn pass(pieces: &mut mpsc::Receiver<Piece>, outlet: &Outlet) -> Result<Ending, Gone> {
    while let Some(piece) = pieces.recv().await {
        match piece {
            Piece::Bytes(bytes) => outlet.put(*bytes)?,
            Piece::Break => return Ok(Ending::Broken),
        }
        outlet.taken().await?;
    }
    Ok(Ending::Whole)
}

fn start(
    gateway: &Gateway,
    subscription: Subscription,
    encoding: impl Encoding,
    tells_end: bool,
) -> Response {
    let head = respond(&encoding, Body::empty(), Some(subscription.cursor()));
    let tracked = gateway.drain.track();
    lasting(head, &gateway.tasks, TASK, async move |outlet: Outlet| {
        let last = deliver(subscription, &encoding, &outlet, tells_end).await;
        // The drain does not wait for a client that takes nothing.
        drop(tracked);
        if let Ok((words, ending)) = last {
            outlet.end(words, ending).await;
        }
    })
}

/// Delivers the stream; its last words, and how its body ends.
async fn deliver(
    mut subscription: Subscription,
    encoding: &impl Encoding,
    outlet: &Outlet,
    tells_end: bool,
) -> Result<(Bytes, Ending), Gone> {
    outlet.put(encoding.opening_of_a_stream(subscription.cursor(), pause(None)))?;
    let end = tokio::select! {
        end = run(&mut subscription, encoding, outlet) => end?,
        () = outlet.gone() => return Err(Gone),
    };
    Ok(match end {
        End::Complete => (encoding.end(None), Ending::Whole),
        End::Refused(error) => (encoding.end(Some(&error)), Ending::Whole),
        End::Interrupted(why) if tells_end => (encoding.end(Some(&why.error)), Ending::Whole),
        End::Interrupted(why) => {
            why.error.count();
            let words = encoding.break_off(why.error.code(), pause(Some(&why.error)));
            (words, Ending::Broken)
        }
    })
}

/// Takes frames and hands them over until the stream ends.
async fn run(
    subscription: &mut Subscription,
    encoding: &impl Encoding,
    outlet: &Outlet,
) -> Result<End, Gone> {
    let mut closing = subscription.closing();
    let mut due = pin!(closing.due());
    let interval = subscription.config().heartbeat_interval;
    let slow_client_timeout = subscription.config().slow_client_timeout;
    let mut heartbeats = Heartbeats::every(interval, |cursor| {
        outlet.put_if_idle(encoding.heartbeat(cursor));
    });
    loop {
        // What was put is the client's, or nothing behind it is.
        let cursor = subscription.cursor();
        tokio::select! {
            taken = timeout(slow_client_timeout, outlet.taken()) => match taken {
                Ok(taken) => taken?,
                Err(_) => {
                    telemetry::slow_client();
                    return Ok(End::interrupted(ErrorCode::SlowConsumer, cursor));
                }
            },
            code = &mut due => return Ok(End::interrupted(code, cursor)),
        }
        heartbeats.reset();
        let frame = match subscription.next(&mut heartbeats, due.as_mut()).await {
            Ok(frame) => frame,
            Err(end) => return Ok(end),
        };
        let cursor = Some(frame.cursor.as_str()).filter(|cursor| !cursor.is_empty());
        let bytes = encoding.next(cursor, &frame.body);
        crash_mid_frame(outlet, &bytes).await;
        outlet.put(bytes)?;
    }
}

/// Crash point: half a frame has left for the client when the process dies.
async fn crash_mid_frame(outlet: &Outlet, frame: &Bytes) {
    if !crash::take("stream::after_half_a_frame") {
        return;
    }
    // Nobody takes it when the client has left; the process ends either way.
    let _is_there = outlet.put(frame.slice(..frame.len() / 2)).is_ok();
    tokio::time::sleep(Duration::from_millis(20)).await;
    crash::end();
}
