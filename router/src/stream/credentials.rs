//! With whose rights a stream is read, by the newest token of its connection.
//!
//! A stream over HTTP has the token that it began with. A socket may be given a fresh one, and its streams go on with it.

use chassis::principal::Principal;
use chrono::{DateTime, Utc};
use federation::RequestContext;
use std::sync::Arc;
use tokio::sync::watch;

/// The newest rights of a connection's caller.
#[derive(Debug, Clone)]
pub(crate) struct Credentials(Source);

#[derive(Debug, Clone)]
enum Source {
    /// The end of the one token.
    Fixed(Option<DateTime<Utc>>),
    Renewable(watch::Receiver<RequestContext>),
}

impl Credentials {
    /// Those of a context, which stay as they are.
    pub(crate) fn fixed(ctx: &RequestContext) -> Self {
        Self(Source::Fixed(expires_at(ctx)))
    }

    /// Those that the sender renews.
    pub(crate) const fn renewable(newest: watch::Receiver<RequestContext>) -> Self {
        Self(Source::Renewable(newest))
    }

    /// When the newest token ends; never for a caller without one.
    pub(super) fn expires_at(&mut self) -> Option<DateTime<Utc>> {
        match &mut self.0 {
            Source::Fixed(at) => *at,
            Source::Renewable(newest) => expires_at(&newest.borrow_and_update()),
        }
    }

    /// Resolves when there are newer ones; never where they stay as they are.
    pub(super) async fn renewed(&mut self) {
        if let Source::Renewable(newest) = &mut self.0
            && newest.changed().await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }

    /// What is asked with the newest rights, in the trace of what was asked before.
    pub(super) fn renew(&mut self, ctx: &mut RequestContext) {
        if let Source::Renewable(newest) = &mut self.0 {
            let newest = newest.borrow_and_update();
            ctx.headers = Arc::clone(&newest.headers);
            ctx.data = Arc::clone(&newest.data);
        }
    }
}

fn expires_at(ctx: &RequestContext) -> Option<DateTime<Utc>> {
    let principal = ctx.data.get::<Arc<Principal>>();
    principal.map(|principal| principal.expires_at)
}
