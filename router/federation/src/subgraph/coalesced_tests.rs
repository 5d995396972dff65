use std::sync::atomic::{AtomicU32, AtomicUsize};

use futures::future::join_all;
use tokio::time::{sleep, timeout};

use super::*;
use crate::host::Host;
use crate::subgraph::guard::Guarded;

/// Answers after a while, and counts.
struct Slow {
    took: Duration,
    answer: Response,
    calls: AtomicU32,
    done: AtomicU32,
}

impl Subgraph for Slow {
    fn fetch<'a>(
        &'a self,
        _request: FetchRequest,
        _ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Response> {
        Box::pin(async move {
            self.calls.fetch_add(1, Ordering::Relaxed);
            sleep(self.took).await;
            self.done.fetch_add(1, Ordering::Relaxed);
            self.answer.clone()
        })
    }
}

/// Counts what was not sent.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Telemetry for Counting {
    fn fetch_shared(&self, _subgraph: &str) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct Case {
    slow: Arc<Slow>,
    coalesced: Coalesced,
    mutations: Mutations,
    saved: Arc<Counting>,
}

impl Case {
    fn new(took: Duration, answer: Response) -> Self {
        let slow = Arc::new(Slow {
            took,
            answer,
            calls: AtomicU32::new(0),
            done: AtomicU32::new(0),
        });
        let config = FetchConfig {
            timeout: TIMEOUT,
            breaker_failures: 0,
            ..FetchConfig::default()
        };
        let guarded = Guarded::new(
            "shop",
            slow.clone(),
            config.clone(),
            Host::default().telemetry,
        );
        let (mutations, saved) = (Mutations::default(), Arc::<Counting>::default());
        let rules = HeaderRules::trusted();
        let coalesced = Coalesced::new(
            "shop",
            Arc::new(guarded),
            &rules,
            &config,
            mutations.clone(),
            saved.clone(),
        );
        Self {
            slow,
            coalesced,
            mutations,
            saved,
        }
    }

    /// Over a subgraph that answers after 100 ms.
    fn good() -> Self {
        Self::new(MS * 100, answer())
    }

    async fn ask(&self, ctx: &RequestContext) -> Response {
        self.coalesced.fetch(request(), ctx).await
    }

    /// The same after a while.
    async fn ask_after(&self, pause: Duration, patience: Duration) -> Response {
        sleep(pause).await;
        self.ask(&context(patience)).await
    }

    fn calls(&self) -> u32 {
        self.slow.calls.load(Ordering::Relaxed)
    }
}

const MS: Duration = Duration::from_millis(1);
const TIMEOUT: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(10);

fn answer() -> Response {
    Ok(Bytes::from_static(b"{}"))
}

fn request() -> FetchRequest {
    FetchRequest {
        text: "{a}".into(),
        prefix: Bytes::new(),
        kind: OperationKind::Query,
        variables: Bytes::from_static(b"{}"),
        fields: Arc::from([]),
        entities: None,
        objects_max: 1_000,
    }
}

fn context(patience: Duration) -> RequestContext {
    RequestContext {
        may_share: true,
        ..RequestContext::anonymous(Instant::now() + patience)
    }
}

/// Seen red with what is asked left off the list of flights.
#[tokio::test(start_paused = true)]
async fn identical_queries_at_once_are_sent_once() {
    let case = Case::good();
    let asked = (0..20).map(|number| case.ask_after(MS * number, LONG));
    assert!(join_all(asked).await.iter().all(|it| *it == answer()));
    assert_eq!(case.calls(), 1);
    assert_eq!(case.saved.0.load(Ordering::Relaxed), 19);
    assert_eq!(case.ask(&context(LONG)).await, answer());
    assert_eq!(case.calls(), 2, "an answer is not kept");
    assert!(case.coalesced.flights.lock().is_empty());
}

/// Seen red with the text left out of what is compared.
#[tokio::test(start_paused = true)]
async fn whatever_the_subgraph_could_tell_apart_is_sent_by_itself() {
    let case = Case::good();
    let mut token = HeaderMap::new();
    token.insert("authorization", HeaderValue::from_static("Bearer other"));
    let other = RequestContext {
        headers: Arc::new(token),
        ..context(LONG)
    };
    let stream = RequestContext {
        may_share: false,
        ..context(LONG)
    };
    let plain = context(LONG);
    let asked = [
        (request(), &plain),
        (request(), &other),
        (request(), &stream),
        (
            FetchRequest {
                text: "{b}".into(),
                ..request()
            },
            &plain,
        ),
        (
            FetchRequest {
                variables: Bytes::from_static(b"{\"a\":1}"),
                ..request()
            },
            &plain,
        ),
        (
            FetchRequest {
                objects_max: 1,
                ..request()
            },
            &plain,
        ),
        (
            FetchRequest {
                kind: OperationKind::Mutation,
                ..request()
            },
            &plain,
        ),
        (
            FetchRequest {
                kind: OperationKind::Mutation,
                ..request()
            },
            &plain,
        ),
    ];
    let all = asked.map(|(request, ctx)| case.coalesced.fetch(request, ctx));
    assert!(join_all(all).await.iter().all(Result::is_ok));
    assert_eq!(case.calls(), 8);
}

#[tokio::test(start_paused = true)]
async fn one_who_leaves_cancels_nothing_and_all_who_leave_cancel_the_fetch() {
    let case = Case::good();
    let leaves = timeout(MS * 10, case.ask_after(Duration::ZERO, LONG));
    let (left, stayed) = futures::join!(leaves, case.ask_after(MS, LONG));
    assert!(left.is_err());
    assert_eq!((stayed, case.calls()), (answer(), 1));
    let both = futures::future::join(case.ask_after(MS, LONG), case.ask_after(MS, LONG));
    assert!(timeout(MS * 10, both).await.is_err());
    sleep(LONG).await;
    assert_eq!(case.slow.done.load(Ordering::Relaxed), 1);
    assert!(case.coalesced.flights.lock().is_empty());
}

/// Seen red without the room that the first one's fetch has for those who ask a little later.
#[tokio::test(start_paused = true)]
async fn each_waits_by_its_own_deadline() {
    let case = Case::good();
    // The last comes after `later`, which else would join its fetch and need no room in the first.
    let (patient, hasty, later, most_patient) = futures::join!(
        case.ask_after(Duration::ZERO, MS * 120),
        case.ask_after(MS, MS * 20),
        case.ask_after(MS * 10, MS * 120),
        case.ask_after(MS * 20, MS * 500),
    );
    assert_eq!(
        (patient, later, most_patient),
        (answer(), answer(), answer())
    );
    assert_eq!(hasty, Err(FetchError::Timeout(MS * 20)));
    assert_eq!(case.calls(), 2, "the most patient one asks for itself");
}

/// The timeout of a fetch runs from when it is asked. Seen red with that of a second fetch counted from its own beginning.
#[tokio::test(start_paused = true)]
async fn who_came_later_does_not_time_out_with_who_came_first() {
    let case = Case::new(TIMEOUT * 2, answer());
    let began = Instant::now();
    let (first, later, too) = futures::join!(
        case.ask_after(Duration::ZERO, LONG),
        async {
            let late = case.ask_after(TIMEOUT / 2, LONG).await;
            (late, began.elapsed())
        },
        case.ask_after(TIMEOUT / 2, LONG),
    );
    assert_eq!(first, Err(FetchError::Timeout(TIMEOUT)));
    assert!(later.0.is_err() && too.is_err());
    assert_eq!(later.1, TIMEOUT / 2 + TIMEOUT);
    assert_eq!(case.calls(), 2, "both later ones ask again, once");
}

/// Seen red with the count of mutations left out of what a fetch is for.
#[tokio::test(start_paused = true)]
async fn nobody_reads_what_was_before_a_mutation_that_ended() {
    let case = Case::good();
    let after = async {
        sleep(MS * 10).await;
        case.mutations.ended();
        let ctx = context(LONG);
        futures::join!(case.ask(&ctx), case.ask(&ctx))
    };
    let (before, after) = futures::join!(case.ask_after(Duration::ZERO, LONG), after);
    assert_eq!((before, after), (answer(), (answer(), answer())));
    assert_eq!(case.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_everybodys_and_repeated_by_nobody() {
    let failed = Err(FetchError::Status(500));
    let case = Case::new(MS * 100, failed.clone());
    let asked = (0..20).map(|number| case.ask_after(MS * number, LONG));
    assert!(join_all(asked).await.iter().all(|it| *it == failed));
    assert_eq!(case.calls(), 1);
}

struct Panics;

impl Subgraph for Panics {
    fn fetch<'a>(&'a self, _: FetchRequest, _: &'a RequestContext) -> BoxFuture<'a, Response> {
        Box::pin(async { panic!("a test asked for this") })
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_fetch_that_panicked() {
    let mut case = Case::good();
    case.coalesced.inner = Arc::new(Panics);
    assert!(matches!(
        case.ask(&context(LONG)).await,
        Err(FetchError::Lost(_))
    ));
    assert!(case.coalesced.flights.lock().is_empty());
}
