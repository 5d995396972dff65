//! What every transport needs, and the three steps of every operation: prepare, charge, run.

use std::{sync::Arc, time::Duration};

use chassis::{clock::Clock, graphql::Forwarded, principal::Verifier, tasks::Tasks};
use federation::{
    ContextPerField, Engine, GraphRequest, GraphResponse, OperationKind, OperationKinds, Prepared,
    RequestContext,
};
use http::HeaderValue;
use idempotency::graphql::of_root_field;
use schema::code::ErrorCode;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout, timeout_at},
};
use tracing::Instrument as _;

use super::{csrf::AllowedOrigins, origin::Origin};
use crate::{
    admission::{Budget, Charge, RateLimitKey, with_charge},
    config::Config,
    error::RequestError,
    stream::{Drain, Hub},
};

/// What every request needs.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) engine: Arc<Engine>,
    pub(crate) hub: Hub,
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) drain: Drain,
    pub(crate) tasks: Tasks,
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    budget: Arc<Budget>,
    pub(super) origins: AllowedOrigins,
}

/// A response and what it cost.
#[derive(Debug)]
pub(super) struct Executed {
    pub(super) response: GraphResponse,
    pub(super) charge: Charge,
}

impl Gateway {
    /// Gathers the parts.
    pub(crate) fn new(
        engine: Arc<Engine>,
        hub: Hub,
        verifier: Arc<Verifier>,
        drain: Drain,
        tasks: Tasks,
        config: Config,
        clock: Clock,
    ) -> Arc<Self> {
        Arc::new(Self {
            engine,
            budget: hub.budget(),
            hub,
            verifier,
            drain,
            tasks,
            origins: AllowedOrigins::new(&config.http.allowed_origins),
            config,
            clock,
        })
    }

    /// The context of a request that begins now.
    pub(super) fn context(&self, origin: Origin) -> RequestContext {
        let forwarded = Forwarded {
            principal: origin.caller.principal,
            token: origin.caller.token,
            idempotency_key: origin.idempotency_key,
        };
        let mut data = forwarded.data();
        if forwarded.idempotency_key.is_some() {
            data.insert(key_per_field(forwarded.clone()));
        }
        RequestContext {
            headers: Arc::new(forwarded.headers()),
            data: Arc::new(data),
            traceparent: origin.traceparent,
            is_idempotent: forwarded.idempotency_key.is_some(),
            deadline: Instant::now() + self.config.http.request_timeout,
        }
    }

    /// Parses and plans within the request's deadline.
    ///
    /// # Errors
    /// What [`Engine::prepare`] refuses, and `DEADLINE_EXCEEDED`.
    pub(super) async fn prepare(&self, request: &GraphRequest) -> Result<Prepared, RequestError> {
        let prepared = self.engine.prepare(request, OperationKinds::ALL);
        match timeout(self.config.http.request_timeout, prepared).await {
            Ok(prepared) => Ok(prepared?),
            Err(_) => Err(RequestError::masked(ErrorCode::DeadlineExceeded)),
        }
    }

    /// Charges an operation to its caller.
    ///
    /// # Errors
    /// `RATE_LIMITED`.
    pub(super) fn charge(
        &self,
        prepared: &Prepared,
        key: RateLimitKey,
    ) -> Result<Charge, RequestError> {
        self.budget.charge(key, prepared.cost())
    }

    /// Charges and runs a query or a mutation.
    ///
    /// # Errors
    /// `RATE_LIMITED` before it began, `DEADLINE_EXCEEDED` when it did not end in time; a mutation may still happen
    /// then, and a retry with the same idempotency key finds out.
    ///
    /// # Cancel safety
    /// A dropped query stops; a mutation that began runs to its end in a task of its own, which the drain waits for.
    pub(super) async fn run(
        &self,
        prepared: Prepared,
        ctx: RequestContext,
        key: RateLimitKey,
    ) -> Result<Executed, RequestError> {
        let charge = self.charge(&prepared, key)?;
        // The engine keeps the deadline itself and responds with what it has; this bound holds when it does not.
        let limit = ctx.deadline + Duration::from_secs(1);
        let response = async {
            if prepared.kind() == OperationKind::Mutation {
                self.detached(prepared, ctx, charge).await
            } else {
                with_charge(charge, self.engine.execute(&prepared, &ctx)).await
            }
        };
        match timeout_at(limit, response).await {
            Ok(response) => Ok(Executed { response, charge }),
            Err(_) => Err(RequestError::masked(ErrorCode::DeadlineExceeded)),
        }
    }

    async fn detached(
        &self,
        prepared: Prepared,
        ctx: RequestContext,
        charge: Charge,
    ) -> GraphResponse {
        let (sender, response) = oneshot::channel();
        let engine = Arc::clone(&self.engine);
        let running = async move {
            let response = with_charge(charge, engine.execute(&prepared, &ctx)).await;
            // Nobody waits when the client is gone; the effect is what counts.
            drop(sender.send(response));
        };
        let _task = self.tasks.spawn("mutation", running.in_current_span());
        response.await.unwrap_or_else(|_| {
            let body = RequestError::masked(ErrorCode::Internal).to_body();
            GraphResponse {
                body,
                had_data: false,
                errors: 1,
                objects: 0,
            }
        })
    }
}

/// One header names a whole request, so each of several root fields gets a key of its own, which a repeat has too.
fn key_per_field(forwarded: Forwarded) -> ContextPerField {
    ContextPerField::new(move |request, response_key| {
        let header = forwarded.idempotency_key.as_ref();
        let key = header.map(|key| of_root_field(key.as_bytes(), response_key));
        let forwarded = Forwarded {
            // A derived key is hexadecimal; any other came in a header.
            idempotency_key: key.and_then(|key| HeaderValue::from_bytes(&key).ok()),
            ..forwarded.clone()
        };
        RequestContext {
            headers: Arc::new(forwarded.headers()),
            data: Arc::new(forwarded.data()),
            ..request.clone()
        }
    })
}
