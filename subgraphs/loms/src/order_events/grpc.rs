//! Order events over gRPC: decode and check, open, encode. Source: docs/contracts.md §3, row OrderEvents.

use std::pin::Pin;

use ::schema::{
    id::UserId,
    proto::loms::{OrderEvent, OrderEventsRequest, order_event, order_events_request::Scope},
};
use chassis::{
    fault,
    grpc::{Caller, Invalid},
};
use chrono::SecondsFormat;
use futures::stream;
use order_stream::ResumePoint;
use tonic::{
    Response, Status,
    metadata::{MetadataMap, MetadataValue},
};

use super::{Ended, Error, Event, Kind, OrderEvents, Reader, Stream, Wanted};
use crate::{grpc::Failure, order};

/// The answers of one call.
pub(crate) type Answers =
    Pin<Box<dyn futures::Stream<Item = Result<OrderEvent, Status>> + Send + 'static>>;

/// Metadata with the place to go on behind: at the begin of a stream, and at an end that the client did not ask for.
const CURSOR_METADATA: &str = "x-cursor";

/// Opens the stream that is asked for.
pub(crate) async fn open(
    events: &OrderEvents,
    reader: Reader,
    request: &OrderEventsRequest,
) -> Result<Response<Answers>, Failure> {
    let (wanted, resume) = decode(request)?;
    let stream = events.open(reader, wanted, resume).await?;
    let place = stream.place();
    let mut response = Response::new(answers(stream));
    tell(&place, response.metadata_mut());
    Ok(response)
}

/// When the caller's token ends, if it has one.
pub(crate) fn expires_at(caller: &Caller) -> Option<chrono::DateTime<chrono::Utc>> {
    match caller {
        Caller::Token(principal) => Some(principal.expires_at),
        Caller::Service(_) | Caller::Compatible => None,
    }
}

fn decode(request: &OrderEventsRequest) -> Result<(Wanted, Option<ResumePoint>), Invalid> {
    let wanted = match request.scope {
        None => Wanted::Everybody,
        Some(Scope::OrderId(id)) => {
            Wanted::Order(order::grpc::order_id(id, "OrderEventsRequest.OrderId")?)
        }
        Some(Scope::UserId(id)) => {
            let user = UserId::try_from(id);
            Wanted::User(user.map_err(|_| Invalid::not_positive("OrderEventsRequest.UserId"))?)
        }
    };
    let resume = match request.cursor.as_str() {
        "" => None,
        text => {
            let cursor = text.parse::<ResumePoint>();
            let not_one = |error| Invalid(format!("invalid OrderEventsRequest.Cursor: {error}"));
            Some(cursor.map_err(not_one)?)
        }
    };
    Ok((wanted, resume))
}

/// Answers until the stream ends; read at the client's pace, and dropped when it leaves.
fn answers(stream: Stream) -> Answers {
    Box::pin(stream::unfold(Some(stream), async |open| {
        let mut stream = open?;
        match stream.next().await {
            Ok(event) => Some((Ok(encode(&event)), Some(stream))),
            Err(ended) => Some((Err(status(ended, &stream)), None)),
        }
    }))
}

fn status(ended: Ended, stream: &Stream) -> Status {
    let mut status = fault::status(ended);
    tell(&stream.place(), status.metadata_mut());
    status
}

/// Tells where to go on.
fn tell(place: &ResumePoint, metadata: &mut MetadataMap) {
    // A cursor is base64url, a point, digits and a hyphen: always a legal value.
    if let Ok(place) = MetadataValue::try_from(place.to_string()) {
        metadata.insert(CURSOR_METADATA, place);
    }
}

fn encode(event: &Event) -> OrderEvent {
    let cursor = event.behind.to_string();
    let (kind, state) = match event.kind {
        Kind::Snapshot(state) => (order_event::Kind::Snapshot, state),
        Kind::Change(state) => (order_event::Kind::Change, state),
        Kind::Gap => {
            return OrderEvent {
                kind: order_event::Kind::Gap.into(),
                cursor,
                ..OrderEvent::default()
            };
        }
    };
    OrderEvent {
        kind: kind.into(),
        cursor,
        order_id: state.order.get(),
        user_id: state.user.get(),
        version: state.version,
        status: state.status.as_str().to_owned(),
        moment: state.at.to_rfc3339_opts(SecondsFormat::Micros, true),
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Events(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(request: &OrderEventsRequest) -> String {
        decode(request).unwrap_err().to_string()
    }

    #[test]
    fn what_breaks_a_rule_names_its_field() {
        let scoped = |scope| OrderEventsRequest {
            scope: Some(scope),
            ..OrderEventsRequest::default()
        };
        for id in [0, -1, i64::MIN] {
            assert!(refused(&scoped(Scope::OrderId(id))).contains("OrderEventsRequest.OrderId"));
            assert!(refused(&scoped(Scope::UserId(id))).contains("OrderEventsRequest.UserId"));
        }
        for cursor in [
            "x",
            "%",
            " ",
            "AQAAAAAAAAAAAAAAAAAAAAAA.",
            &"A".repeat(5_000),
        ] {
            let request = OrderEventsRequest {
                cursor: cursor.to_owned(),
                ..OrderEventsRequest::default()
            };
            assert!(
                refused(&request).contains("OrderEventsRequest.Cursor"),
                "{cursor}"
            );
        }
        let everybody = decode(&OrderEventsRequest::default()).unwrap();
        assert_eq!(everybody, (Wanted::Everybody, None));
    }
}
