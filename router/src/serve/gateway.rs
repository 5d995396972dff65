//! Runs one prepared query or mutation for any transport: budget, deadline, and what happens when the client goes.

use std::{net::IpAddr, sync::Arc};

use schema::code::ErrorCode;
use tokio::{sync::oneshot, time::Instant};
use tracing::Instrument as _;

use super::{Gateway, auth::Caller, rate::Payer};
use crate::{
    engine::{GraphRequest, GraphResponse, Prepared, RequestContext},
    error::RequestError,
    operation::{OperationKind, OperationKinds},
    stream::{Charge, with_charge},
};

/// What a transport knows of a request besides its text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origin {
    pub(crate) caller: Caller,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) traceparent: Option<String>,
    pub(crate) address: Option<IpAddr>,
}

/// An answer and what it cost.
#[derive(Debug)]
pub(crate) struct Executed {
    pub(crate) response: GraphResponse,
    pub(crate) charge: Charge,
}

impl Gateway {
    /// The context of a request that begins now.
    pub(crate) fn context(&self, origin: Origin) -> RequestContext {
        RequestContext {
            principal: origin.caller.principal,
            token: origin.caller.token,
            idempotency_key: origin.idempotency_key,
            traceparent: origin.traceparent,
            deadline: Instant::now() + self.config.http.request_timeout,
        }
    }

    /// Parses and plans within the request's deadline.
    ///
    /// # Errors
    /// What [`crate::Engine::prepare`] refuses, and `DEADLINE_EXCEEDED`.
    pub(crate) async fn prepare(
        &self,
        request: &GraphRequest,
        allowed: OperationKinds,
    ) -> Result<Prepared, RequestError> {
        let prepared = self.engine.prepare(request, allowed);
        let prepared = tokio::time::timeout(self.config.http.request_timeout, prepared).await;
        prepared.unwrap_or_else(|_| Err(RequestError::masked(ErrorCode::DeadlineExceeded)))
    }

    /// Charges an operation to its caller.
    ///
    /// # Errors
    /// `RATE_LIMITED`.
    pub(crate) fn charge(
        &self,
        prepared: &Prepared,
        ctx: &RequestContext,
        address: Option<IpAddr>,
    ) -> Result<Charge, RequestError> {
        let principal = ctx.principal.as_deref();
        let user = principal.and_then(|principal| principal.user);
        let service = principal.and_then(|principal| principal.service.clone());
        let payer = match (user, service) {
            (Some(user), _) => Payer::User(user.get()),
            (None, Some(service)) => Payer::Service(service),
            (None, None) => Payer::Address(address),
        };
        self.rate.charge(payer, prepared.cost())
    }

    /// Runs a query or a mutation.
    ///
    /// # Errors
    /// `RATE_LIMITED` before it began, `DEADLINE_EXCEEDED` when it did not end in time; a mutation may still happen
    /// then, and a retry with the same idempotency key finds out.
    ///
    /// # Cancel safety
    /// A dropped query stops; a mutation that began runs to its end in a task of its own, which the drain waits for.
    pub(crate) async fn run(
        self: &Arc<Self>,
        prepared: Prepared,
        ctx: RequestContext,
        address: Option<IpAddr>,
    ) -> Result<Executed, RequestError> {
        let charge = self.charge(&prepared, &ctx, address)?;
        let late = || RequestError::masked(ErrorCode::DeadlineExceeded);
        // The engine keeps the deadline itself and answers with what it has; this is for when it cannot.
        let limit = ctx.deadline + std::time::Duration::from_secs(1);
        let response = match prepared.kind() {
            OperationKind::Mutation => {
                let answer = self.detached(prepared, ctx, charge);
                tokio::time::timeout_at(limit, answer)
                    .await
                    .map_err(|_| late())?
            }
            OperationKind::Query | OperationKind::Subscription => {
                let answer = with_charge(charge, self.engine.execute(&prepared, &ctx));
                tokio::time::timeout_at(limit, answer)
                    .await
                    .map_err(|_| late())?
            }
        };
        Ok(Executed { response, charge })
    }

    async fn detached(
        self: &Arc<Self>,
        prepared: Prepared,
        ctx: RequestContext,
        charge: Charge,
    ) -> GraphResponse {
        let (answer, answered) = oneshot::channel();
        let engine = Arc::clone(&self.engine);
        let running = async move {
            let response = with_charge(charge, engine.execute(&prepared, &ctx)).await;
            // Nobody waits when the client is gone; the effect is what counts.
            drop(answer.send(response));
        };
        let _task = self.tasks.spawn("mutation", running.in_current_span());
        answered.await.unwrap_or_else(|_| {
            let body = RequestError::masked(ErrorCode::Internal).to_body();
            GraphResponse {
                body,
                had_data: false,
                errors: 1,
            }
        })
    }
}
