//! gRPC's health service: one status for all services of a server.
//!
//! The library's own ends a watch of an unknown service with `NOT_FOUND`; the protocol has it stay open, because the
//! service may yet come. Source: grpc/grpc, `doc/health-checking.md`.

use std::{pin::Pin, sync::Arc};

use futures::{Stream, StreamExt as _, stream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_check_response::ServingStatus,
    health_server::{Health, HealthServer},
};

type Replies = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

/// Tells gRPC's health service how a server is.
#[derive(Debug, Clone)]
pub struct Reporter(Arc<watch::Sender<ServingStatus>>);

impl Reporter {
    /// Reports for the server as a whole and for each of its services.
    pub fn set(&self, is_serving: bool) {
        let status = if is_serving {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        // Who watches hears of changes alone.
        self.0
            .send_if_modified(|known| std::mem::replace(known, status) != status);
    }
}

/// The service, and who tells it; not serving until told. Watches end with `stop`.
pub(super) fn service(
    services: &'static [&'static str],
    stop: CancellationToken,
) -> (Reporter, HealthServer<impl Health>) {
    let (told, status) = watch::channel(ServingStatus::NotServing);
    let watched = Watched {
        services,
        status,
        stop,
    };
    (Reporter(Arc::new(told)), HealthServer::new(watched))
}

struct Watched {
    services: &'static [&'static str],
    status: watch::Receiver<ServingStatus>,
    stop: CancellationToken,
}

impl Watched {
    /// The empty name is the server as a whole.
    fn knows(&self, service: &str) -> bool {
        service.is_empty() || self.services.contains(&service)
    }
}

#[tonic::async_trait]
impl Health for Watched {
    type WatchStream = Replies;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        if !self.knows(&request.get_ref().service) {
            return Err(Status::not_found("the server has no such service"));
        }
        Ok(Response::new(reply(*self.status.borrow())))
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Replies>, Status> {
        let stop = self.stop.clone().cancelled_owned();
        if !self.knows(&request.get_ref().service) {
            let unknown = stream::once(async { Ok(reply(ServingStatus::ServiceUnknown)) });
            let open = unknown.chain(stream::pending());
            return Ok(Response::new(Box::pin(open.take_until(stop))));
        }
        let mut status = self.status.clone();
        status.mark_changed();
        let changes = stream::unfold(status, async |mut status| {
            status.changed().await.ok()?;
            let now = *status.borrow_and_update();
            Some((Ok(reply(now)), status))
        });
        Ok(Response::new(Box::pin(changes.take_until(stop))))
    }
}

fn reply(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn watched() -> (Reporter, Watched, CancellationToken) {
        let (told, status) = watch::channel(ServingStatus::NotServing);
        let stop = CancellationToken::new();
        let watched = Watched {
            services: &["shop.Shop"],
            status,
            stop: stop.clone(),
        };
        (Reporter(Arc::new(told)), watched, stop)
    }

    fn ask(service: &str) -> Request<HealthCheckRequest> {
        Request::new(HealthCheckRequest {
            service: service.to_owned(),
        })
    }

    async fn next(replies: &mut Replies) -> Option<ServingStatus> {
        let reply = tokio::time::timeout(Duration::from_secs(60), replies.next()).await;
        reply.ok()?.map(|reply| reply.unwrap().status())
    }

    #[tokio::test]
    async fn a_check_knows_the_server_and_its_services_alone() {
        let (reporter, watched, _) = watched();
        reporter.set(true);
        for service in ["", "shop.Shop"] {
            let reply = watched.check(ask(service)).await.unwrap();
            assert_eq!(reply.get_ref().status(), ServingStatus::Serving);
        }
        let refused = watched.check(ask("shop.Nope")).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::NotFound);
    }

    /// Seen red with `NOT_FOUND` for the unknown one.
    #[tokio::test(start_paused = true)]
    async fn a_watch_hears_each_change_and_one_of_an_unknown_service_stays_open() {
        let (reporter, watched, stop) = watched();
        let mut known = watched.watch(ask("shop.Shop")).await.unwrap().into_inner();
        assert_eq!(next(&mut known).await, Some(ServingStatus::NotServing));
        reporter.set(true);
        assert_eq!(next(&mut known).await, Some(ServingStatus::Serving));
        reporter.set(true);
        assert_eq!(next(&mut known).await, None, "nothing has changed");

        let mut unknown = watched.watch(ask("shop.Nope")).await.unwrap().into_inner();
        let first = next(&mut unknown).await;
        assert_eq!(first, Some(ServingStatus::ServiceUnknown));
        assert_eq!(next(&mut unknown).await, None, "open, and silent");
        stop.cancel();
        assert!(unknown.next().await.is_none() && known.next().await.is_none());
    }
}
