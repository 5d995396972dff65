//! Every change of a user's orders, each once, over gRPC: `OrderEvents` of the order service.
//!
//! `MARKETPLACE_USER=1 cargo run -p e2e --example follow_grpc` prints a line of order and version for each. With
//! `MARKETPLACE_TOKEN` it calls as that user, which off the service's own machine it must.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program of a client's own"
)]

use std::{env, time::Duration};

use anyhow::Context as _;
use schema::proto::loms::{
    OrderEvent, OrderEventsRequest, loms_client::LomsClient, order_events_request::Scope,
};
use tokio::time::sleep;
use tonic::{Code, Request, Status, metadata::MetadataMap, transport::Endpoint};

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(8);

struct Follower {
    endpoint: Endpoint,
    user: i64,
    cursor: String,
    pause: Duration,
}

impl Follower {
    /// Hands every event to `take`, until the service refuses the stream for good. One of kind GAP says that history is
    /// gone: read again what you keep.
    async fn follow(&mut self, mut take: impl FnMut(&OrderEvent)) -> Result<(), Status> {
        loop {
            if let Err(status) = self.connection(&mut take).await {
                self.go_on_behind(status.metadata());
                // Whatever else ended it, a broken connection among them, passes.
                if matches!(
                    status.code(),
                    Code::InvalidArgument
                        | Code::NotFound
                        | Code::PermissionDenied
                        | Code::Unauthenticated
                        | Code::Unimplemented
                ) {
                    return Err(status);
                }
            }
            sleep(self.pause.mul_f64(rand::random_range(0.1..1.0))).await;
            self.pause = (2 * self.pause).min(LONGEST);
        }
    }

    async fn connection(&mut self, take: &mut impl FnMut(&OrderEvent)) -> Result<(), Status> {
        let channel = self.endpoint.connect().await;
        let channel = channel.map_err(|error| Status::unavailable(error.to_string()))?;
        let mut request = Request::new(OrderEventsRequest {
            scope: Some(Scope::UserId(self.user)),
            cursor: self.cursor.clone(),
        });
        // A real program asks its issuer for a token that has not ended.
        if let Ok(token) = env::var("MARKETPLACE_TOKEN") {
            let bearer = format!("Bearer {token}").parse();
            let bearer = bearer.map_err(|_| Status::unauthenticated("this is no token"))?;
            request.metadata_mut().insert("authorization", bearer);
        }
        let opened = LomsClient::new(channel).order_events(request).await?;
        // A place before the first event, so that a break before it loses nothing.
        self.go_on_behind(opened.metadata());
        let mut events = opened.into_inner();
        while let Some(event) = events.message().await? {
            take(&event);
            self.cursor = event.cursor;
            self.pause = FIRST;
        }
        Ok(())
    }

    fn go_on_behind(&mut self, metadata: &MetadataMap) {
        let cursor = metadata.get("x-cursor").and_then(|it| it.to_str().ok());
        if let Some(cursor) = cursor {
            cursor.clone_into(&mut self.cursor);
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let address = env::var("MARKETPLACE_GRPC");
    let address = address.unwrap_or_else(|_| "http://127.0.0.1:8083".to_owned());
    // A machine that vanished sends no end: ask for a sign of life.
    let endpoint = Endpoint::from_shared(address)?
        .connect_timeout(Duration::from_secs(5))
        .http2_keep_alive_interval(Duration::from_secs(12))
        .keep_alive_timeout(Duration::from_secs(8))
        .keep_alive_while_idle(true);
    let user = env::var("MARKETPLACE_USER").context("whose orders: MARKETPLACE_USER")?;
    let mut follower = Follower {
        endpoint,
        user: user.parse()?,
        cursor: String::new(),
        pause: FIRST,
    };
    let print = |event: &OrderEvent| println!("{} {}", event.order_id, event.version);
    Ok(follower.follow(print).await?)
}
