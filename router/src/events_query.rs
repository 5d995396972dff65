//! The fields of the `events` subgraph's Query, which the router answers itself: `orderEventsCursor`, `rateLimit`.

use std::sync::Arc;

use chassis::{budget::Charge, clock::Clock};
use chrono::SecondsFormat;
use federation::{GraphqlError, RequestContext, RootFields};
use futures::future::BoxFuture;
use serde_json::{Value, json};

use crate::{admission::current_charge, stream::EventLog};

/// Answers the fields from the log of events and the running operation's charge.
#[derive(Debug)]
pub(crate) struct EventsQuery {
    log: Arc<EventLog>,
    clock: Clock,
    budget: u64,
}

impl EventsQuery {
    /// `budget` is shown to an operation that nobody charged.
    pub(crate) const fn new(log: Arc<EventLog>, clock: Clock, budget: u64) -> Self {
        Self { log, clock, budget }
    }

    async fn cursor(&self) -> Result<Value, GraphqlError> {
        match self.log.get().end_cursor().await {
            Ok(end) => Ok(Value::from(end.to_string())),
            Err(_) => Err(GraphqlError::unavailable()),
        }
    }

    fn rate_limit(&self) -> Value {
        let charge = current_charge().unwrap_or_else(|| Charge {
            cost: 0,
            limit: self.budget,
            remaining: self.budget,
            reset_at: self.clock.now(),
        });
        // The schema's Int has 32 bits; a larger number reads as the largest Int.
        let int = |number: u64| i32::try_from(number).unwrap_or(i32::MAX);
        json!({
            "cost": int(charge.cost),
            "limit": int(charge.limit),
            "remaining": int(charge.remaining),
            "resetAt": charge.reset_at.to_rfc3339_opts(SecondsFormat::Secs, true),
        })
    }
}

impl RootFields for EventsQuery {
    fn resolve<'a>(
        &'a self,
        field: &'a str,
        _ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Value, GraphqlError>> {
        Box::pin(async move {
            match field {
                "orderEventsCursor" => self.cursor().await,
                "rateLimit" => Ok(self.rate_limit()),
                _ => Err(GraphqlError::internal()),
            }
        })
    }
}
