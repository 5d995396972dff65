//! A client that comes again when the marketplace is busy, as it is told to.
//!
//! Admission refuses what finds no place in time, with nothing done. On a slow machine a handful of senders is enough for that,
//! and it says nothing about the abuse that was sent.

use std::{future::Future, time::Duration};

use chassis::fault::PUSHBACK;
use reqwest::{RequestBuilder, Response, StatusCode, header};
use tonic::{Code, Status};

/// How often one is sent before its last answer stands.
const TRIES: usize = 30;
/// The longest wait that is believed.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// The answer to what `request` makes anew for each try, and to the last one whatever it is.
pub(super) async fn send(request: impl Fn() -> RequestBuilder) -> reqwest::Result<Response> {
    for _ in 1..TRIES {
        let response = request().send().await?;
        let Some(wait) = wait(&response) else {
            return Ok(response);
        };
        tokio::time::sleep(wait).await;
    }
    request().send().await
}

/// The same of a gRPC call.
pub(super) async fn call<T, F>(call: impl Fn() -> F) -> Result<T, Status>
where
    F: Future<Output = Result<T, Status>>,
{
    for _ in 1..TRIES {
        match call().await {
            Err(status) => match pushback(&status) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(status),
            },
            answer => return answer,
        }
    }
    call().await
}

/// How long it waits, when the answer is that of a busy service.
fn wait(response: &Response) -> Option<Duration> {
    if response.status() != StatusCode::SERVICE_UNAVAILABLE {
        return None;
    }
    let told = response.headers().get(header::RETRY_AFTER)?;
    let seconds = told.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(WAIT_MAX))
}

/// The same over gRPC, where a limit has the same code and no time (gRPC proposal A6).
fn pushback(status: &Status) -> Option<Duration> {
    if status.code() != Code::ResourceExhausted {
        return None;
    }
    let told = status.metadata().get(PUSHBACK)?;
    let milliseconds = told.to_str().ok()?.parse().ok()?;
    Some(Duration::from_millis(milliseconds).min(WAIT_MAX))
}

#[cfg(test)]
mod tests {
    use tonic::metadata::MetadataMap;

    use super::*;

    #[test]
    fn a_limit_over_grpc_is_no_busy_service() {
        assert_eq!(pushback(&Status::resource_exhausted("200 orders")), None);
        let mut metadata = MetadataMap::new();
        metadata.insert(PUSHBACK, "250".parse().unwrap());
        let busy = Status::with_metadata(Code::ResourceExhausted, "busy", metadata);
        assert_eq!(pushback(&busy), Some(Duration::from_millis(250)));
    }
}
