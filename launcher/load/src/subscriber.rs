//! A subscription that checks its own frames: the versions of each order arrive one by one, none twice.
//!
//! It begins at a cursor that was read before the first order, resumes after its last cursor when the connection ends,
//! and measures the time from each change to the arrival of its frame.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chassis::clock::Clock;
use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::client::{self, Client};
use crate::frames::{Event, Frames};
use crate::ledger::{Ledger, Seen, Verdict, lock};
use crate::stats::Latencies;

const WATCH: &str = "subscription($after: Cursor) { myOrderEvents(after: $after) {
    kind cursor orderId version status at order { total { amount } } } }";
/// The pause before a broken stream is reopened.
const PAUSE: Duration = Duration::from_millis(100);

/// What one subscriber has observed.
#[derive(Debug, Default)]
pub struct Observation {
    pub(crate) seen: Seen,
    /// Frames that carried an event.
    pub frames: u64,
    /// Frames of a version that had arrived before.
    pub repeated: u64,
    /// Versions that were skipped.
    pub missed: u64,
    /// Frames of kind GAP.
    pub gaps: u64,
    /// How often the stream was reopened.
    pub reconnects: u64,
    /// Frames whose order could not be read in time.
    pub incomplete: u64,
    /// Codes of errors that a correct client must not get.
    pub faults: Vec<String>,
    pub(crate) event_to_frame: Latencies,
}

/// One subscriber.
#[derive(Debug)]
pub struct Subscriber {
    user: i64,
    token: String,
    client: Client,
    clock: Clock,
    cursor: String,
    observation: Arc<Mutex<Observation>>,
}

/// The observer's handle of a running subscriber.
#[derive(Debug)]
pub struct Watched {
    user: i64,
    observation: Arc<Mutex<Observation>>,
}

impl Watched {
    /// What has been observed until now; locked while the guard lives.
    pub fn observation(&self) -> MutexGuard<'_, Observation> {
        lock(&self.observation)
    }

    /// How many versions a response named and the subscriber has not received.
    #[must_use]
    pub fn missing(&self, ledger: &Ledger) -> u64 {
        ledger.missing(self.user, &self.observation().seen)
    }
}

impl Subscriber {
    /// A subscriber to the orders of `user` from `cursor` on, and a handle to observe it.
    #[must_use]
    pub fn new(user: i64, token: String, client: Client, cursor: String) -> (Self, Watched) {
        let observation = Arc::<Mutex<Observation>>::default();
        let watched = Watched {
            user,
            observation: observation.clone(),
        };
        let subscriber = Self {
            user,
            token,
            client,
            clock: Clock::system(),
            cursor,
            observation,
        };
        (subscriber, watched)
    }

    /// Watches until `stop`.
    pub async fn watch(mut self, stop: CancellationToken) {
        loop {
            let ended = tokio::select! {
                () = stop.cancelled() => return,
                ended = self.read_stream() => ended,
            };
            tracing::debug!(user = self.user, reason = %ended, "the stream ended, resuming");
            lock(&self.observation).reconnects += 1;
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(PAUSE) => {}
            }
        }
    }

    /// Reads one connection to its end. Returns why it ended.
    async fn read_stream(&mut self) -> String {
        let body = json!({ "query": WATCH, "variables": { "after": self.cursor } });
        let request = self.client.http().post(self.client.graph().clone());
        let request = request
            .headers(client::headers(&self.token, Uuid::new_v4()))
            .header("accept", "text/event-stream")
            .json(&body);
        let response = match request.send().await {
            Ok(response) if response.status() == 200 => response,
            Ok(response) => return format!("status {}", response.status()),
            Err(error) => return error.to_string(),
        };
        let (mut chunks, mut frames) = (response.bytes_stream(), Frames::default());
        while let Some(chunk) = chunks.next().await {
            let Ok(chunk) = chunk else {
                return "the connection broke".to_owned();
            };
            for event in frames.push(&chunk) {
                if let Some(end) = self.take(&event) {
                    return end;
                }
            }
        }
        "the server closed the connection".to_owned()
    }

    /// Takes one event. Returns why the stream is over, if it is.
    fn take(&mut self, event: &Event) -> Option<String> {
        if event.name == "complete" {
            return Some("complete".to_owned());
        }
        let frame: Value = serde_json::from_str(&event.data).unwrap_or_default();
        if !event.id.is_empty() {
            self.cursor.clone_from(&event.id);
        }
        lock(&self.observation).take(&frame, self.clock.now());
        None
    }
}

impl Observation {
    /// A frame whose order could not be read in time still says which change it is. A frame without data is about the
    /// stream itself.
    fn take(&mut self, frame: &Value, now: DateTime<Utc>) {
        let event = &frame["data"]["myOrderEvents"];
        if let Some(error) = frame["errors"].get(0) {
            let code = error["extensions"]["code"].as_str().unwrap_or("NO_CODE");
            let is_retryable = schema::code::ErrorCode::find(code).is_some_and(|it| it.retryable());
            if !is_retryable {
                self.faults.push(code.to_owned());
            } else if event.is_object() {
                self.incomplete += 1;
            } // else the server asks to resume, which is part of the contract
        }
        if event.is_object() {
            self.judge(event, now);
        }
    }

    fn judge(&mut self, event: &Value, now: DateTime<Utc>) {
        self.frames += 1;
        let order = event["orderId"].as_str();
        let version = event["version"]
            .as_u64()
            .and_then(|it| u32::try_from(it).ok());
        let (Some(order), Some(version)) = (order, version) else {
            self.gaps += 1;
            return;
        };
        match self.seen.judge(order, version) {
            Verdict::Next => {}
            Verdict::Repeated => self.repeated += 1,
            Verdict::Missed(count) => self.missed += u64::from(count),
        }
        let at = event["at"]
            .as_str()
            .and_then(|at| at.parse::<DateTime<Utc>>().ok());
        let took = at.and_then(|at| (now - at).to_std().ok());
        if let Some(took) = took {
            self.event_to_frame.record(took);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(order: &str, version: u32) -> Value {
        json!({ "kind": "CHANGE", "orderId": order, "version": version, "at": "2026-01-01T00:00:00Z" })
    }

    #[test]
    fn a_stream_that_skips_repeats_or_says_gap_is_found_out() {
        let mut observed = Observation::default();
        let now = "2026-01-01T00:00:01Z".parse().unwrap();
        for (order, version) in [("7", 1), ("7", 3), ("7", 3), ("8", 1)] {
            observed.judge(&event(order, version), now);
        }
        observed.judge(&json!({ "kind": "GAP", "orderId": null }), now);
        assert_eq!(
            (
                observed.frames,
                observed.missed,
                observed.repeated,
                observed.gaps
            ),
            (5, 1, 1, 1)
        );
        assert_eq!(observed.event_to_frame.quantile(0.5).round(), 1_000.0);
    }

    #[test]
    fn a_frame_without_its_order_counts_and_an_error_without_a_frame_does_not() {
        let mut observed = Observation::default();
        let now = "2026-01-01T00:00:01Z".parse().unwrap();
        let error = |code| json!([{ "extensions": { "code": code } }]);
        let late = json!({ "data": { "myOrderEvents": event("7", 1) }, "errors": error("DEADLINE_EXCEEDED") });
        observed.take(&late, now);
        observed.take(&json!({ "errors": error("SERVER_DRAINING") }), now);
        assert_eq!((observed.frames, observed.incomplete), (1, 1));
        assert!(observed.faults.is_empty());
        observed.take(&json!({ "errors": error("FORBIDDEN") }), now);
        assert_eq!(observed.faults, ["FORBIDDEN"]);
    }
}
