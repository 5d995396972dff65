//! How long a caller waits, and what that means for the work: nothing begins for one who has left, and what has decided
//! runs on.
//!
//! Over HTTP the caller says it by the header `X-Request-Timeout-Ms`, a whole number of milliseconds above 0, as by
//! `grpc-timeout` over gRPC. Without it a caller waits as long as the server's own limit. Within the process the deadline
//! travels beside the request as a task-local value, down to the database ([`crate::postgres::within`]).

use std::{cell::Cell, future::pending, time::Duration};

use http::HeaderMap;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::tasks::Tasks;

/// The header's name.
pub const HEADER: &str = "x-request-timeout-ms";
/// Its most digits, as Connect's `Connect-Timeout-Ms` has them.
const MAX_DIGITS: usize = 10;

tokio::task_local! {
    static DEADLINE: Cell<Option<Instant>>;
}

/// Does `work` for a caller who leaves at `at`; one who does not say so waits for ever.
///
/// # Cancel safety
/// That of `work`.
pub fn until<F: Future>(at: Option<Instant>, work: F) -> impl Future<Output = F::Output> {
    DEADLINE.scope(Cell::new(at), work)
}

/// When the caller of the running request leaves; `None` when it waits for ever, and when the request [is
/// decided](decide).
#[must_use]
pub fn current() -> Option<Instant> {
    DEADLINE.try_with(Cell::get).ok().flatten()
}

/// From here on the running request changes something, and runs to its end with or without its caller.
pub fn decide() {
    // Where there is no deadline, there is none to forget.
    let _is_scoped = DEADLINE.try_with(|deadline| deadline.set(None)).is_ok();
}

/// Ends when the caller has left before the request was decided.
pub(crate) async fn passed() {
    while let Some(at) = current() {
        if at <= Instant::now() {
            return;
        }
        sleep_until(at).await;
    }
    pending().await
}

/// Why work for a caller gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The caller has left: before the decision nothing happened, after it the work goes on.
    CallerLeft,
    /// The work panicked.
    Panicked,
}

/// Does `work` in a task of `tasks` for a caller who leaves at `at`, or before by dropping the future: until it [is
/// decided](decide) the work ends with its caller, from then on it runs to its end.
///
/// # Errors
/// [`Lost`].
pub(crate) async fn detached<F>(
    tasks: &Tasks,
    name: &'static str,
    at: Instant,
    work: F,
) -> Result<F::Output, Lost>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let left = CancellationToken::new();
    let _leaves_when_dropped = left.clone().drop_guard();
    let undecided = async move {
        left.cancelled().await;
        if current().is_none() {
            pending::<()>().await;
        }
    };
    let running = until(Some(at), async move {
        tokio::select! {
            biased;
            output = work => Some(output),
            () = passed() => None,
            () = undecided => None,
        }
    });
    let running = tasks.spawn(name, running.in_current_span());
    match timeout_at(at, running).await {
        Ok(Ok(output)) => output.ok_or(Lost::CallerLeft),
        Ok(Err(_)) => Err(Lost::Panicked),
        Err(_) => Err(Lost::CallerLeft),
    }
}

/// How long the caller waits; `None` without the header and for one that breaks its form, which is ignored as a gRPC server
/// ignores its own.
#[must_use]
pub fn patience(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(HEADER)?.to_str().ok()?;
    let is_number = text.len() <= MAX_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    let millis: u64 = is_number.then(|| text.parse().ok())??;
    (millis > 0).then(|| Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    };

    use super::*;

    /// Seen red with a decision that is not noted.
    #[tokio::test(start_paused = true)]
    async fn a_caller_is_waited_for_until_its_request_is_decided() {
        let soon = || Some(Instant::now() + Duration::from_millis(300));
        let work = |decides_after: u64| async move {
            let decided = async {
                tokio::time::sleep(Duration::from_millis(decides_after)).await;
                decide();
                tokio::time::sleep(Duration::from_secs(5)).await;
            };
            tokio::select! {
                () = passed() => false,
                () = decided => true,
            }
        };
        assert!(until(soon(), work(299)).await);
        assert!(!until(soon(), work(301)).await);
        assert!(until(None, work(301)).await, "it waits for ever");
        assert!(work(301).await, "nobody waits");
        assert!(!until(Some(Instant::now()), work(1)).await, "it has left");
    }

    /// Work of three seconds, which decides after one; whether it came to its end, which its caller is told.
    fn three_seconds(ended: &Arc<AtomicBool>) -> impl Future<Output = bool> + Send + 'static {
        let ended = Arc::clone(ended);
        async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            decide();
            tokio::time::sleep(Duration::from_secs(2)).await;
            ended.store(true, Relaxed);
            true
        }
    }

    /// Seen red with the work in the caller's own task, and with a task that knows of no decision.
    #[tokio::test(start_paused = true)]
    async fn what_is_decided_runs_to_its_end_without_its_caller_and_nothing_else_does() {
        let tasks = Tasks::new();
        for (patience, told, happens) in [
            (500, Err(Lost::CallerLeft), false),
            (1_500, Err(Lost::CallerLeft), true),
            (3_500, Ok(true), true),
        ] {
            let at = || Instant::now() + Duration::from_millis(patience);
            let ended = [Arc::default(), Arc::default()];
            let work = detached(&tasks, "test", at(), three_seconds(&ended[0]));
            assert_eq!(work.await, told, "{patience} ms");
            // Who hangs up has named no time that would be over before.
            let far = Instant::now() + Duration::from_secs(60);
            let work = detached(&tasks, "test", far, three_seconds(&ended[1]));
            let heard = timeout_at(at(), work).await;
            assert_eq!(heard.is_ok(), told.is_ok(), "{patience} ms");
            tokio::time::sleep(Duration::from_secs(5)).await;
            let ended = ended.map(|ended| ended.load(Relaxed));
            assert_eq!(ended, [happens; 2], "{patience} ms");
            assert!(tasks.names().is_empty());
        }
        let broken = async { panic!("on purpose") };
        let far = Instant::now() + Duration::from_secs(60);
        let lost: Result<(), Lost> = detached(&tasks, "test", far, broken).await;
        assert_eq!(lost, Err(Lost::Panicked));
    }

    /// Seen red with 0 taken for a time.
    #[test]
    fn a_caller_waits_a_whole_number_of_milliseconds() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER, text.parse().unwrap());
            patience(&headers)
        };
        assert_eq!(read("250"), Some(Duration::from_millis(250)));
        for bad in ["", "0", "-1", "+1", "1.5", "1s", "12345678901"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        assert_eq!(patience(&HeaderMap::new()), None);
    }
}
