//! What every call shares: its deadline, its place among the calls at work, and what its metadata says.

use std::{future::Future, time::Duration};

use idempotency::{Answered, KEY_HEADER, Key, REPLAYED_HEADER};
use tokio::sync::Semaphore;
use tonic::{
    Response, Status,
    metadata::{MetadataMap, MetadataValue},
};

use super::{Failure, Invalid};
use crate::access::{Access, Caller};

/// The bounds of calls.
#[derive(Debug)]
pub(super) struct Bounds {
    places: Semaphore,
    longest: Duration,
}

impl Bounds {
    pub(super) const fn new(places: usize, longest: Duration) -> Self {
        Self {
            places: Semaphore::const_new(places),
            longest,
        }
    }

    /// Runs a call within the bounds and its own `grpc-timeout`.
    ///
    /// # Cancel safety
    /// A call that is cut off or dropped may have committed; its idempotency key tells.
    pub(super) async fn run<T>(
        &self,
        metadata: &MetadataMap,
        call: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Status> {
        let place = self.places.try_acquire().map_err(|_| Failure::Busy)?;
        let limit = timeout(metadata).map_or(self.longest, |own| own.min(self.longest));
        let result = tokio::time::timeout(limit, call)
            .await
            .unwrap_or(Err(Failure::Late));
        drop(place);
        result.map_err(Status::from)
    }
}

/// The caller as its metadata describes it: a client of the compatibility profile, which may change any order.
pub(super) fn caller(metadata: &MetadataMap) -> Result<Caller, Failure> {
    let bad_key = |_| {
        Invalid(format!(
            "invalid metadata {KEY_HEADER}: {}",
            idempotency::BadKey
        ))
    };
    let key = metadata.get(KEY_HEADER).map(|key| {
        let text = key.to_str().map_err(|_| idempotency::BadKey)?;
        Key::try_from(text.to_owned())
    });
    let trace = metadata
        .get("traceparent")
        .and_then(|trace| trace.to_str().ok());
    Ok(Caller {
        key: key.transpose().map_err(bad_key)?,
        traceparent: trace.filter(|trace| trace.len() <= 128).map(str::to_owned),
        ..Caller::plain(Access::Everybody)
    })
}

/// An answer, marked in its metadata when it is an earlier one.
pub(super) fn answer<T>(answered: Answered<T>) -> Response<T> {
    let mut response = Response::new(answered.answer);
    if answered.replayed {
        mark_replayed(response.metadata_mut());
    }
    response
}

pub(super) fn mark_replayed(metadata: &mut MetadataMap) {
    metadata.insert(REPLAYED_HEADER, MetadataValue::from_static("true"));
}

/// Reads `grpc-timeout`: at most 8 digits and a unit. One that breaks that form is ignored, as gRPC servers do.
fn timeout(metadata: &MetadataMap) -> Option<Duration> {
    let text = metadata.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(value.saturating_mul(3_600))),
        "M" => Some(Duration::from_secs(value.saturating_mul(60))),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(timeout: &str) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        metadata.insert("grpc-timeout", timeout.parse().unwrap());
        metadata
    }

    #[test]
    fn a_timeout_is_up_to_eight_digits_and_a_unit() {
        assert_eq!(timeout(&metadata("250m")), Some(Duration::from_millis(250)));
        assert_eq!(
            timeout(&metadata("99999999H")),
            Some(Duration::from_secs(359_999_996_400))
        );
        for bad in ["", "m", "1", "1x", "123456789S", "-1S"] {
            assert_eq!(timeout(&metadata(bad)), None, "{bad:?}");
        }
    }

    #[tokio::test]
    async fn a_call_ends_at_its_own_deadline_and_gives_its_place_back() {
        let bounds = Bounds::new(1, Duration::from_secs(60));
        let late = bounds
            .run(&metadata("1m"), std::future::pending::<Result<(), _>>())
            .await;
        assert_eq!(late.unwrap_err().code(), tonic::Code::DeadlineExceeded);
        assert!(bounds.run(&metadata("1S"), async { Ok(()) }).await.is_ok());
    }

    #[tokio::test]
    async fn a_call_beyond_the_bound_is_refused_at_once() {
        let bounds = Bounds::new(1, Duration::from_secs(60));
        let none = MetadataMap::new();
        let refused = bounds.run(&none, async {
            let second = bounds.run(&none, async { Ok(()) }).await;
            Ok(second.unwrap_err().code())
        });
        assert_eq!(refused.await.unwrap(), tonic::Code::ResourceExhausted);
    }
}
