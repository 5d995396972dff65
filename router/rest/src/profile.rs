//! What operators find on the cart listener beside the API: metrics and a CPU profile on demand.
//!
//! One profile runs at a time, because the sampling signal belongs to the whole process. The response is the protobuf
//! that `go tool pprof` and its successors read. Source: docs/contracts.md §1, row "/metrics, /debug/pprof/".

use std::time::Duration;

use axum::{
    Router,
    extract::RawQuery,
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use pprof::{ProfilerGuardBuilder, protos::Message};
use schema::code::ErrorCode;
use tokio::sync::Semaphore;

use super::{error::Problem, json::Fields};

/// What a profile without `seconds` takes, as older services had it.
const DEFAULT_SECONDS: i64 = 30;
/// The longest profile.
const SECONDS_MAX: i64 = 60;
/// Samples per second of CPU time; a prime, so that it does not beat with timers.
const SAMPLES_PER_SECOND: i32 = 99;

/// Where a profile is taken; a request there costs as much as a change.
pub(super) const PATH: &str = "/debug/pprof/profile";

static RUNNING: Semaphore = Semaphore::const_new(1);

const INDEX: &str = "<!doctype html><title>/debug/pprof/</title><h1>/debug/pprof/</h1>\
<ul><li><a href=\"profile?seconds=5\">profile</a>: CPU profile as pprof protobuf; \
<code>seconds</code> is 1 to 60, 30 unless given</li>\
<li><a href=\"/metrics\">metrics</a></li></ul>";

/// `/metrics`, `/debug/pprof/` and, where it `is_enabled`, `/debug/pprof/profile`.
pub(super) fn routes(is_enabled: bool) -> Router {
    let profile = if is_enabled {
        get(profile)
    } else {
        get(async || switched_off())
    };
    Router::new()
        .route("/debug/pprof/", get(async || Html(INDEX)))
        .route(PATH, profile)
        .merge(chassis::telemetry::routes())
}

fn switched_off() -> Response {
    let message =
        "profiles are switched off here; the setting router.rest.profile_enabled switches them on";
    Problem::refused(ErrorCode::NotFound, message).cart()
}

async fn profile(RawQuery(query): RawQuery) -> Response {
    let seconds = match seconds(query.as_deref().unwrap_or_default()) {
        Ok(seconds) => seconds,
        Err(problem) => return problem.cart(),
    };
    let Ok(_permit) = RUNNING.try_acquire() else {
        return (
            StatusCode::CONFLICT,
            "a profile is running; there is one at a time",
        )
            .into_response();
    };
    match sample(seconds).await {
        Ok(bytes) => {
            let name = "attachment; filename=\"profile.pb\"";
            let form = "application/octet-stream";
            let headers = [
                (header::CONTENT_TYPE, form),
                (header::CONTENT_DISPOSITION, name),
            ];
            (headers, bytes).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "the cpu profile failed");
            Problem::masked(ErrorCode::Internal).cart()
        }
    }
}

fn seconds(query: &str) -> Result<Duration, Problem> {
    let asked = Fields::from_query(query)?.int64(&["seconds"])?;
    let seconds = if asked == 0 { DEFAULT_SECONDS } else { asked };
    u64::try_from(seconds)
        .ok()
        .filter(|_| seconds <= SECONDS_MAX)
        .map(Duration::from_secs)
        .ok_or_else(|| Problem::invalid("seconds must be 1 to 60"))
}

/// Samples the whole process. A dropped call ends the sampling.
async fn sample(span: Duration) -> Result<Vec<u8>, pprof::Error> {
    // Stacks inside these libraries cannot be unwound safely from a signal handler.
    let guard = ProfilerGuardBuilder::default()
        .frequency(SAMPLES_PER_SECOND)
        .blocklist(&["libc", "libgcc", "pthread", "vdso"])
        .build()?;
    tokio::time::sleep(span).await;
    // Symbols are looked up here, which reads the binary: off the reactor.
    let encode = move || {
        let encoded = guard.report().build().and_then(|report| report.pprof());
        // The look-up keeps what it read of the binary, some hundred megabytes of it, for a next time.
        backtrace::clear_symbol_cache();
        Ok(encoded?.encode_to_vec())
    };
    tokio::task::spawn_blocking(encode)
        .await
        .map_err(|_| pprof::Error::CreatingError)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_bounded_in_time() {
        assert_eq!(seconds("").unwrap(), Duration::from_secs(30));
        assert_eq!(seconds("seconds=1").unwrap(), Duration::from_secs(1));
        for bad in [
            "seconds=61",
            "seconds=-1",
            "seconds=x",
            "seconds=9223372036854775807",
        ] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_profile_is_a_pprof_message_with_samples_per_second() {
        let bytes = sample(Duration::from_millis(50)).await.unwrap();
        let profile = pprof::protos::Profile::decode(bytes.as_slice()).unwrap();
        assert!(!profile.sample_type.is_empty());
    }
}
