use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::host::Host;

/// Fails so many times, and counts.
struct Flaky {
    error: FetchError,
    calls: AtomicU32,
    failures: AtomicU32,
}

impl Subgraph for Flaky {
    fn fetch<'a>(
        &'a self,
        _request: FetchRequest,
        _ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Bytes, FetchError>> {
        Box::pin(async move {
            self.calls.fetch_add(1, Ordering::Relaxed);
            if self.failures.load(Ordering::Relaxed) == 0 {
                return Ok(Bytes::from_static(b"{}"));
            }
            self.failures.fetch_sub(1, Ordering::Relaxed);
            Err(self.error.clone())
        })
    }
}

fn request(kind: OperationKind) -> FetchRequest {
    FetchRequest {
        text: "{a}".into(),
        prefix: Bytes::new(),
        kind,
        variables: Bytes::from_static(b"{}"),
        fields: Arc::from([]),
        objects_max: 1_000,
    }
}

fn context() -> RequestContext {
    RequestContext::anonymous(Instant::now() + Duration::from_secs(60))
}

/// Over a subgraph whose first responses come too late.
fn guarded(failures: u32, breaker_failures: u32, breaker_open: Duration) -> (Arc<Flaky>, Guarded) {
    let late = FetchError::Timeout(LONG);
    guarded_with(late, failures, breaker_failures, breaker_open)
}

fn guarded_with(
    error: FetchError,
    failures: u32,
    breaker_failures: u32,
    breaker_open: Duration,
) -> (Arc<Flaky>, Guarded) {
    let flaky = Arc::new(Flaky {
        error,
        calls: AtomicU32::new(0),
        failures: AtomicU32::new(failures),
    });
    let config = FetchConfig {
        breaker_failures,
        breaker_open,
        ..FetchConfig::default()
    };
    (
        flaky.clone(),
        Guarded::new("shop", flaky, config, Host::default().telemetry),
    )
}

const LONG: Duration = Duration::from_secs(3600);

/// Seen red with a lost mutation tried again without a key.
#[tokio::test]
async fn what_can_do_no_harm_is_tried_once_more() {
    let reached_nobody = || FetchError::Connect("refused".to_owned());
    let lost = || FetchError::Lost("closed".to_owned());
    let late = || FetchError::Timeout(LONG);
    let (query, mutation) = (OperationKind::Query, OperationKind::Mutation);
    for (error, kind, is_keyed, calls) in [
        (reached_nobody(), query, false, 2),
        (reached_nobody(), mutation, false, 2),
        (lost(), query, false, 2),
        (lost(), mutation, false, 1),
        (lost(), mutation, true, 2),
        (late(), query, true, 1),
    ] {
        let case = format!("{error:?} {kind:?} {is_keyed}");
        let (flaky, guarded) = guarded_with(error, 1, 0, LONG);
        let ctx = RequestContext {
            is_idempotent: is_keyed,
            ..context()
        };
        let response = guarded.fetch(request(kind), &ctx).await;
        assert_eq!(response.is_ok(), calls == 2, "{case}");
        assert_eq!(flaky.calls.load(Ordering::Relaxed), calls, "{case}");
    }
}

#[tokio::test]
async fn an_open_breaker_refuses_at_once() {
    let (flaky, guarded) = guarded(3, 3, LONG);
    for _ in 0..3 {
        assert!(
            guarded
                .fetch(request(OperationKind::Mutation), &context())
                .await
                .is_err()
        );
    }
    let refused = guarded
        .fetch(request(OperationKind::Mutation), &context())
        .await;
    assert_eq!(refused, Err(FetchError::BreakerOpen));
    assert_eq!(flaky.calls.load(Ordering::Relaxed), 3);
}

/// The breaker opens for no time at all here, so each fetch behind it is a probe.
#[tokio::test]
async fn a_probe_decides_whether_the_breaker_closes() {
    let (flaky, guarded) = guarded(4, 3, Duration::ZERO);
    for calls in 1..=4 {
        assert!(
            guarded
                .fetch(request(OperationKind::Mutation), &context())
                .await
                .is_err()
        );
        assert_eq!(flaky.calls.load(Ordering::Relaxed), calls);
    }
    assert!(matches!(*guarded.breaker.lock(), Breaker::Open { .. }));
    assert!(
        guarded
            .fetch(request(OperationKind::Mutation), &context())
            .await
            .is_ok()
    );
    assert_eq!(*guarded.breaker.lock(), Breaker::Closed { failures: 0 });
}

#[tokio::test]
async fn a_probe_that_is_dropped_does_not_keep_the_breaker_waiting() {
    let (_, guarded) = guarded(1, 1, Duration::ZERO);
    assert!(
        guarded
            .fetch(request(OperationKind::Mutation), &context())
            .await
            .is_err()
    );
    guarded.admit().unwrap();
    assert_eq!(*guarded.breaker.lock(), Breaker::Probing);
    drop(ProbeEnd {
        guarded: &guarded,
        ended: false,
    });
    assert!(matches!(*guarded.breaker.lock(), Breaker::Open { .. }));
}
