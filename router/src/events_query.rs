//! The fields of the `events` subgraph's Query, which the router answers itself: `orderEventsCursor`, `rateLimit`.
//!
//! What the running operation was charged travels beside it as a task-local value, since it belongs to the transport
//! that charged it and not to the caller.

use chassis::clock::Clock;
use chrono::{DateTime, SecondsFormat, Utc};
use futures::future::BoxFuture;
use order_stream::OrderStream;
use schema::code::ErrorCode;
use serde_json::{Value, json};

use crate::{
    engine::{RequestContext, RouterFields},
    error::RequestError,
};

/// What one operation cost and what its caller has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// The operation's cost.
    pub cost: u64,
    /// The caller's budget in one window.
    pub limit: u64,
    /// What is left of it.
    pub remaining: u64,
    /// When the window starts anew.
    pub reset_at: DateTime<Utc>,
}

tokio::task_local! {
    static CHARGE: Charge;
}

/// Runs an operation that was charged.
pub async fn with_charge<F: Future>(charge: Charge, operation: F) -> F::Output {
    CHARGE.scope(charge, operation).await
}

/// Answers the router's own fields.
#[derive(Debug)]
pub struct Fields {
    log: OrderStream,
    clock: Clock,
    budget: u64,
}

impl Fields {
    /// `budget` is shown to an operation that nobody charged.
    #[must_use]
    pub const fn new(log: OrderStream, clock: Clock, budget: u64) -> Self {
        Self { log, clock, budget }
    }

    async fn cursor(&self) -> Result<Value, RequestError> {
        let end = self.log.end_cursor().await;
        let end = end.map_err(|_| RequestError::masked(ErrorCode::Unavailable))?;
        Ok(Value::from(end.to_string()))
    }

    fn rate_limit(&self) -> Value {
        let uncharged = Charge {
            cost: 0,
            limit: self.budget,
            remaining: self.budget,
            reset_at: self.clock.now(),
        };
        let charge = CHARGE.try_with(|charge| *charge).unwrap_or(uncharged);
        // The schema's Int has 32 bits; what is above reads as its largest value.
        let int = |number: u64| i32::try_from(number).unwrap_or(i32::MAX);
        json!({
            "cost": int(charge.cost),
            "limit": int(charge.limit),
            "remaining": int(charge.remaining),
            "resetAt": charge.reset_at.to_rfc3339_opts(SecondsFormat::Secs, true),
        })
    }
}

impl RouterFields for Fields {
    fn resolve<'a>(
        &'a self,
        field: &'a str,
        _ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Value, RequestError>> {
        Box::pin(async move {
            match field {
                "orderEventsCursor" => self.cursor().await,
                "rateLimit" => Ok(self.rate_limit()),
                _ => Err(RequestError::masked(ErrorCode::Internal)),
            }
        })
    }
}
