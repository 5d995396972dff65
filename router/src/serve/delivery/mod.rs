//! Writes a stream into an HTTP body, in whichever form, at the pace of its client.
//!
//! A task of its own takes frames from the subscription and hands them to the body through a channel of one: while the
//! client reads nothing, nothing more is read from the log. Invariant: a frame is never dropped; the stream of a client
//! that reads nothing for too long ends with a cursor to resume from. The listener cuts the socket if the client does
//! not read even that.

mod encoding;
mod multipart;
mod sse;

use std::pin::pin;

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use chassis::crash;
use futures::StreamExt;
use schema::code::ErrorCode;
use tokio::{
    sync::mpsc,
    time::{Instant, Interval, MissedTickBehavior},
};
use tokio_stream::wrappers::ReceiverStream;

use self::{encoding::Encoding, multipart::Multipart, sse::Sse};
use super::{gateway::Gateway, negotiate::Media, telemetry};
use crate::{
    error::RequestError,
    stream::{End, Frame, Subscription},
};

/// The response to a subscription: frames until the stream ends or its client goes.
pub(super) fn stream(gateway: &Gateway, subscription: Subscription, media: Media) -> Response {
    match media {
        Media::Multipart => start(gateway, subscription, Multipart),
        Media::EventStream | Media::Json | Media::GraphqlResponse => {
            start(gateway, subscription, Sse)
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

fn whole(media: Media, write: impl FnOnce(&dyn Encoding) -> Vec<u8>) -> Response {
    let encoding: &dyn Encoding = if media == Media::Multipart {
        &Multipart
    } else {
        &Sse
    };
    let mut text = encoding.opening().to_vec();
    text.extend(write(encoding));
    respond(encoding, Body::from(text))
}

fn respond(encoding: &(impl Encoding + ?Sized), body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, encoding.content_type()),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // Proxies that buffer responses would hold frames back.
        (
            header::HeaderName::from_static("x-accel-buffering"),
            HeaderValue::from_static("no"),
        ),
    ];
    (headers, body).into_response()
}

fn start(gateway: &Gateway, subscription: Subscription, encoding: impl Encoding) -> Response {
    // One frame is on its way to the socket while the next is made; the second slot is kept for the end.
    let (body, taken) = mpsc::channel(2);
    let (head, _) = respond(&encoding, Body::empty()).into_parts();
    let tracked = gateway.drain.track();
    let _task = gateway.tasks.spawn("subscription", async move {
        deliver(subscription, &encoding, &body).await;
        drop(tracked);
    });
    let frames = ReceiverStream::new(taken).map(Ok::<_, std::convert::Infallible>);
    Response::from_parts(head, Body::from_stream(frames))
}

async fn deliver(
    mut subscription: Subscription,
    encoding: &impl Encoding,
    body: &mpsc::Sender<Bytes>,
) {
    // The reserved slot makes sure that the end can be queued behind a frame that nobody takes.
    let Ok(last_slot) = body.reserve().await else {
        return;
    };
    let opening = encoding.opening_of_a_stream();
    if !opening.is_empty() && body.send(opening).await.is_err() {
        return;
    }
    let end = tokio::select! {
        end = run(&mut subscription, encoding, body) => end,
        () = body.closed() => return,
    };
    last_slot.send(encoding.end(end.error.as_ref()));
}

/// Takes frames and hands them over until the stream ends.
async fn run(
    subscription: &mut Subscription,
    encoding: &impl Encoding,
    body: &mpsc::Sender<Bytes>,
) -> End {
    let closing = subscription.closing();
    let interval = subscription.config().heartbeat_interval;
    let slow_client_timeout = subscription.config().slow_client_timeout;
    let mut heartbeats = tokio::time::interval_at(Instant::now() + interval, interval);
    heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut taken = subscription.cursor().to_owned();
    loop {
        let frame = match next(subscription, encoding, body, &mut heartbeats).await {
            Ok(frame) => frame,
            Err(end) => return end,
        };
        let cursor = Some(frame.cursor.as_str()).filter(|cursor| !cursor.is_empty());
        let bytes = encoding.next(cursor, &frame.body);
        crash_mid_frame(body, &bytes).await;
        tokio::select! {
            sent = tokio::time::timeout(slow_client_timeout, body.send(bytes)) => match sent {
                Ok(Ok(())) => taken = frame.cursor,
                Ok(Err(_)) => return End::COMPLETE,
                Err(_) => {
                    telemetry::slow_client();
                    return End::resumable(ErrorCode::SlowConsumer, &taken);
                }
            },
            code = closing.due() => return End::resumable(code, &taken),
        }
        heartbeats.reset();
    }
}

/// Waits for the next frame, with a heartbeat whenever that takes long.
async fn next(
    subscription: &mut Subscription,
    encoding: &impl Encoding,
    body: &mpsc::Sender<Bytes>,
    heartbeats: &mut Interval,
) -> Result<Frame, End> {
    // Pinned outside of the loop: a heartbeat must not drop events that are being resolved.
    let mut frame = pin!(subscription.next());
    loop {
        tokio::select! {
            frame = &mut frame => return frame,
            // When the channel is full, what is in it is as good as a heartbeat.
            _ = heartbeats.tick() => drop(body.try_send(encoding.heartbeat())),
        }
    }
}

/// Crash point: half a frame has left for the client when the process dies.
async fn crash_mid_frame(body: &mpsc::Sender<Bytes>, frame: &Bytes) {
    if !crash::take("stream::after_half_a_frame") {
        return;
    }
    // Nobody takes it when the client has left; the process ends either way.
    drop(body.send(frame.slice(..frame.len() / 2)).await);
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    crash::end();
}
