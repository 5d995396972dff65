use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::future::join_all;

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
        entities: None,
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
        assert!(fetch(&guarded, OperationKind::Mutation).await.is_err());
    }
    let refused = fetch(&guarded, OperationKind::Mutation).await;
    assert_eq!(refused, Err(FetchError::BreakerOpen));
    assert_eq!(flaky.calls.load(Ordering::Relaxed), 3);
}

/// The breaker opens for no time at all here, so each fetch behind it is a probe.
#[tokio::test]
async fn a_probe_decides_whether_the_breaker_closes() {
    let (flaky, guarded) = guarded(4, 3, Duration::ZERO);
    for calls in 1..=4 {
        assert!(fetch(&guarded, OperationKind::Mutation).await.is_err());
        assert_eq!(flaky.calls.load(Ordering::Relaxed), calls);
    }
    for _ in 0..5 {
        assert!(fetch(&guarded, OperationKind::Mutation).await.is_ok());
    }
}

/// What a subgraph does that is there and does not do well.
struct Moody {
    /// How long each response takes, in milliseconds.
    takes: AtomicU32,
    /// What it says.
    says: parking_lot::Mutex<&'static str>,
    calls: AtomicU32,
}

impl Subgraph for Moody {
    fn fetch<'a>(
        &'a self,
        _request: FetchRequest,
        _ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Bytes, FetchError>> {
        Box::pin(async move {
            self.calls.fetch_add(1, Ordering::Relaxed);
            let takes = self.takes.load(Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(takes.into())).await;
            Ok(Bytes::from_static(self.says.lock().as_bytes()))
        })
    }
}

const FINE: &str = r#"{"data":{"a":1}}"#;
const AWAY: &str =
    r#"{"data":null,"errors":[{"message":"m","extensions":{"code":"UNAVAILABLE"}}]}"#;
const REFUSED: &str =
    r#"{"data":null,"errors":[{"message":"m","extensions":{"code":"NOT_FOUND"}},{"message":"n"}]}"#;
const FROZEN: u32 = 3_600_000;

fn moody(takes: u32, says: &'static str) -> (Arc<Moody>, Arc<Guarded>) {
    let moody = Arc::new(Moody {
        takes: takes.into(),
        says: parking_lot::Mutex::new(says),
        calls: AtomicU32::new(0),
    });
    let config = FetchConfig::default();
    let guarded = Guarded::new("shop", moody.clone(), config, Host::default().telemetry);
    (moody, Arc::new(guarded))
}

async fn fetch(guarded: &Guarded, kind: OperationKind) -> Result<Bytes, FetchError> {
    guarded.fetch(request(kind), &context()).await
}

/// How long a fetch takes on the paused clock, in milliseconds, and whether it succeeds.
async fn timed(guarded: &Guarded, kind: OperationKind) -> (u128, bool) {
    let started = Instant::now();
    let is_ok = fetch(guarded, kind).await.is_ok();
    (started.elapsed().as_millis(), is_ok)
}

async fn pass(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

/// Callers that wait already wait on; whoever comes after two seconds is told at once, and single fetches find out when
/// it is back. Seen red with a fetch that counts as failed only when it ends.
#[tokio::test(start_paused = true)]
async fn a_frozen_subgraph_is_known_within_seconds_and_then_costs_nobody_time() {
    let query = OperationKind::Query;
    let (moody, guarded) = moody(FROZEN, FINE);
    let waiting = join_all((0..5).map(|_| fetch(&guarded, query)));
    let mut waiting = std::pin::pin!(waiting);
    let known = tokio::time::timeout(Duration::from_millis(2_001), &mut waiting);
    assert!(known.await.is_err(), "who waits already waits on");
    assert_eq!(timed(&guarded, query).await, (0, false));
    // The probes have 300 ms, 600 ms, 1.2 s and then two seconds.
    for patience in [300, 600, 1_200, 2_000, 2_000] {
        pass(1_000).await;
        let (probe, other) = tokio::join!(timed(&guarded, query), timed(&guarded, query));
        assert_eq!((probe, other), ((patience, false), (0, false)));
    }
    moody.takes.store(5, Ordering::Relaxed);
    pass(1_000).await;
    for _ in 0..20 {
        assert_eq!(timed(&guarded, query).await, (5, true));
    }
}

/// Seen red with a probe cut off whatever it does.
#[tokio::test(start_paused = true)]
async fn a_mutation_that_finds_out_is_sent_once_and_waited_for() {
    let (moody, guarded) = moody(FROZEN, FINE);
    let waiting = join_all((0..5).map(|_| fetch(&guarded, OperationKind::Query)));
    let mut waiting = std::pin::pin!(waiting);
    let known = tokio::time::timeout(Duration::from_millis(3_001), &mut waiting);
    assert!(known.await.is_err());
    moody.takes.store(900, Ordering::Relaxed);
    let calls = moody.calls.load(Ordering::Relaxed);
    assert_eq!(timed(&guarded, OperationKind::Mutation).await, (900, true));
    assert_eq!(moody.calls.load(Ordering::Relaxed), calls + 1);
    // It took longer than its patience, so the subgraph is not known to be back.
    assert_eq!(timed(&guarded, OperationKind::Query).await, (0, false));
}

#[tokio::test(start_paused = true)]
async fn what_callers_feel_counts_and_what_they_are_told_does_not() {
    for (takes, says, opens) in [
        (5, FINE, false),
        (1_900, FINE, false),
        (2_100, FINE, true),
        (5, AWAY, false),
        (400, AWAY, true),
        (400, REFUSED, false),
        (2_100, REFUSED, true),
    ] {
        let (_, guarded) = moody(takes, says);
        for _ in 0..5 {
            assert!(fetch(&guarded, OperationKind::Query).await.is_ok());
        }
        let next = fetch(&guarded, OperationKind::Query).await;
        assert_eq!(next.is_err(), opens, "{takes} ms, {says}");
    }
}

/// Half of the last twenty. Seen red with failures counted in a row.
#[tokio::test(start_paused = true)]
async fn a_success_in_between_does_not_hide_the_failures() {
    let (moody, guarded) = moody(5, FINE);
    for round in 0..9 {
        moody.takes.store(5, Ordering::Relaxed);
        let good = fetch(&guarded, OperationKind::Query).await;
        moody.takes.store(2_100, Ordering::Relaxed);
        let slow = fetch(&guarded, OperationKind::Query).await;
        if round < 5 {
            assert!(good.is_ok() && slow.is_ok(), "{round}");
        }
    }
    assert_eq!(timed(&guarded, OperationKind::Query).await.0, 0);
}

/// Seen red with whatever is slow counted.
#[tokio::test(start_paused = true)]
async fn heavy_operations_of_one_caller_do_not_shut_a_subgraph_for_the_others() {
    let (moody, guarded) = moody(5, FINE);
    for _ in 0..10 {
        moody.takes.store(5_000, Ordering::Relaxed);
        let heavy = join_all((0..12).map(|_| fetch(&guarded, OperationKind::Query)));
        let light = async {
            pass(1).await;
            moody.takes.store(5, Ordering::Relaxed);
            for _ in 0..10 {
                pass(500).await;
                assert_eq!(timed(&guarded, OperationKind::Query).await, (5, true));
            }
        };
        let (heavy, ()) = tokio::join!(heavy, light);
        assert!(heavy.iter().all(Result::is_ok));
    }
}

/// Callers with a deadline of their own leave before anything is known.
#[tokio::test(start_paused = true)]
async fn callers_that_leave_after_a_long_wait_count() {
    let (_, guarded) = moody(FROZEN, FINE);
    let leave = |after| {
        let guarded = guarded.clone();
        let limit = Duration::from_millis(after);
        async move { tokio::time::timeout(limit, fetch(&guarded, OperationKind::Query)).await }
    };
    for _ in 0..5 {
        assert!(leave(100).await.is_err(), "too early to tell");
    }
    for _ in 0..5 {
        assert!(leave(1_000).await.is_err());
    }
    assert_eq!(timed(&guarded, OperationKind::Query).await, (0, false));
    pass(1_000).await;
    // A probe whose caller leaves at once found out nothing, and the next may.
    assert!(leave(10).await.is_err());
    assert_eq!(timed(&guarded, OperationKind::Query).await, (300, false));
}
