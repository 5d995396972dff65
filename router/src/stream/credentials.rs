//! With whose rights a stream is read, by the newest token of its connection.
//!
//! A stream over HTTP has the token that it began with. A socket may be given a fresh one, and its streams go on with it.

use chassis::principal::Principal;
use chrono::{DateTime, Utc};
use federation::RequestContext;
use std::sync::Arc;
use tokio::sync::watch;

/// The newest context of a connection's caller.
#[derive(Debug, Clone)]
pub(crate) struct Credentials(watch::Receiver<RequestContext>);

impl Credentials {
    /// Those that stay as they are.
    pub(crate) fn fixed(ctx: RequestContext) -> Self {
        Self(watch::channel(ctx).1)
    }

    /// Those that the sender renews.
    pub(crate) const fn renewable(newest: watch::Receiver<RequestContext>) -> Self {
        Self(newest)
    }

    /// When the newest token ends; never for a caller without one.
    pub(super) fn expires_at(&mut self) -> Option<DateTime<Utc>> {
        let ctx = self.0.borrow_and_update();
        let principal = ctx.data.get::<Arc<Principal>>();
        principal.map(|principal| principal.expires_at)
    }

    /// Resolves when there are newer ones; never where they stay as they are.
    pub(super) async fn renewed(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending().await
        }
    }

    /// What is asked with the newest rights, in the trace of what was asked before.
    pub(super) fn renew(&mut self, ctx: &mut RequestContext) {
        let newest = self.0.borrow_and_update();
        ctx.headers = Arc::clone(&newest.headers);
        ctx.data = Arc::clone(&newest.data);
    }
}
