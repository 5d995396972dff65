//! What every transport needs, and the steps of every operation: prepare, charge, admit, run.

use std::{sync::Arc, time::Duration};

use chassis::{
    admission::{Door, Permit},
    budget::{Budget, Charge, RateLimitKey},
    clock::Clock,
    graphql::Forwarded,
    principal::{Principal, Verifier},
    tasks::Tasks,
};
use federation::{
    ClientHeaders, ContextPerField, Engine, GraphRequest, GraphResponse, OperationKind,
    OperationKinds, Prepared, RequestContext, ResponseHeaders, ShowPlan,
};
use http::{HeaderMap, HeaderName, HeaderValue, request::Parts};
use idempotency::graphql::of_root_field;
use schema::code::ErrorCode;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::Instrument as _;

use super::{
    auth::Callers,
    csrf::AllowedOrigins,
    documents::Documents,
    origin::{self, Origin},
};
use crate::{
    admission::{class, with_charge},
    config::Config,
    error::RequestError,
    stream::{Credentials, Drain, End, Hub, ResumeHints, Share, Subscription},
};

/// Pauses between the tries to open one stream: the first, and what they grow to.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// What every request needs.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) engine: Arc<Engine>,
    pub(crate) hub: Hub,
    pub(crate) callers: Callers,
    documents: Arc<Documents>,
    pub(crate) drain: Drain,
    door: Door,
    pub(crate) tasks: Tasks,
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    budget: Arc<Budget>,
    pub(super) origins: AllowedOrigins,
    /// Headers of clients that some subgraph gets.
    passed_on: Vec<HeaderName>,
    /// Whether a client gets headers of some subgraph's responses.
    passes_back: bool,
}

/// A response and what it cost.
#[derive(Debug)]
pub(super) struct Executed {
    pub(super) response: GraphResponse,
    pub(super) charge: Charge,
    /// What subgraphs' responses had that the client gets.
    pub(super) headers: HeaderMap,
}

impl Gateway {
    /// Gathers the parts.
    pub(crate) fn new(
        engine: Arc<Engine>,
        hub: Hub,
        verifier: Arc<Verifier>,
        documents: Arc<Documents>,
        door: Door,
        tasks: Tasks,
        config: Config,
    ) -> Arc<Self> {
        Arc::new(Self {
            engine,
            budget: hub.budget(),
            clock: hub.clock(),
            drain: hub.drain(),
            hub,
            callers: Callers {
                verifier,
                foreign_tokens_enabled: config.foreign_tokens_enabled,
            },
            documents,
            door,
            tasks,
            origins: AllowedOrigins::new(&config.http.allowed_origins)
                .and_console(config.console_url.as_deref()),
            passed_on: passed_on(&config),
            passes_back: config
                .subgraphs
                .values()
                .any(|it| !it.response_headers.is_empty()),
            config,
        })
    }

    /// The context of a request that begins now.
    pub(super) fn context(&self, origin: Origin) -> RequestContext {
        let is_ops = origin
            .caller
            .principal
            .as_ref()
            .is_some_and(|it| it.is_ops());
        let shows_plan = origin.wants_plan && (is_ops || self.config.query_plan_enabled);
        let forwarded = Forwarded {
            principal: origin.caller.principal,
            token: origin.caller.token,
            idempotency_key: origin.idempotency_key,
        };
        let mut data = forwarded.data();
        if let Some(headers) = origin.passed_on {
            data.insert(headers);
        }
        if shows_plan {
            data.insert(ShowPlan);
        }
        if self.passes_back {
            data.insert(ResponseHeaders::default());
        }
        if forwarded.idempotency_key.is_some() {
            data.insert(key_per_field(forwarded.clone()));
        }
        RequestContext {
            headers: Arc::new(forwarded.headers()),
            data: Arc::new(data),
            traceparent: origin.traceparent,
            is_idempotent: forwarded.idempotency_key.is_some(),
            may_share: false,
            deadline: Instant::now() + self.config.http.request_timeout,
            leaves_at: None,
        }
    }

    /// The context of an operation that begins now on a connection whose caller has `rights`, which are shared.
    pub(super) fn context_with(
        &self,
        rights: &RequestContext,
        traceparent: Option<String>,
    ) -> RequestContext {
        RequestContext {
            traceparent,
            deadline: Instant::now() + self.config.http.request_timeout,
            ..rights.clone()
        }
    }

    /// Parses and plans within the request's deadline. What is refused is charged to its caller.
    ///
    /// # Errors
    /// `RATE_LIMITED` for a caller who has nothing left, what [`Engine::prepare`] refuses, and `DEADLINE_EXCEEDED`.
    pub(super) async fn prepare(
        &self,
        request: &GraphRequest,
        key: RateLimitKey,
    ) -> Result<Prepared, RequestError> {
        self.budget.check(key.clone())?;
        let request = self.documents.served().resolve(request)?;
        let prepared = self.engine.prepare(&request, OperationKinds::ALL);
        match timeout(self.config.http.request_timeout, prepared).await {
            Ok(Ok(prepared)) => Ok(prepared),
            Ok(Err(refused)) => {
                self.budget.spend(key, refused.cost());
                Err(refused.into())
            }
            Err(_) => Err(RequestError::masked(ErrorCode::DeadlineExceeded)),
        }
    }

    /// Charges a request that was refused by its form or its token to where it comes from.
    pub(super) fn charge_refused(&self, parts: &Parts) {
        let address = origin::address(parts, &self.config.http.trusted_proxies);
        self.budget.spend(RateLimitKey::address(address), 1);
    }

    /// Reads the head of a request for one operation.
    ///
    /// # Errors
    /// As [`Origin::of_request`], charged to the address.
    pub(super) fn origin(&self, parts: &Parts) -> Result<Origin, RequestError> {
        let origin = Origin::of_request(&self.callers, parts, &self.config.http.trusted_proxies);
        let origin = origin.inspect_err(|_| self.charge_refused(parts))?;
        Ok(self.with_headers(origin, parts))
    }

    /// Keeps what of the client's headers some subgraph gets.
    pub(super) fn with_headers(&self, origin: Origin, parts: &Parts) -> Origin {
        if self.passed_on.is_empty() {
            return origin;
        }
        let mut headers = HeaderMap::new();
        for name in &self.passed_on {
            for value in parts.headers.get_all(name) {
                headers.append(name, value.clone());
            }
        }
        Origin {
            passed_on: Some(ClientHeaders(Arc::new(headers))),
            ..origin
        }
    }

    /// A place for an operation, for which it waits at most until its client leaves.
    async fn admit(
        &self,
        prepared: &Prepared,
        ctx: &RequestContext,
        leaves_at: Option<Instant>,
    ) -> Result<Permit, RequestError> {
        let has_token = ctx.data.get::<Arc<Principal>>().is_some();
        let class = class(prepared, has_token);
        Ok(self.door.admit(class, leaves_at).await?)
    }

    /// Charges and opens a stream, which is read with the newest of `credentials`. One that resumes waits its turn while what it
    /// needs is away or too busy.
    ///
    /// # Errors
    /// What [`Hub::open`] refuses, `RATE_LIMITED` and `OVERLOADED`; interrupted where the client would take a refusal for the
    /// end of a stream that it had: it resumes, or the process stops, and what its own streams take up is not why.
    pub(super) async fn open(
        &self,
        prepared: Prepared,
        ctx: RequestContext,
        credentials: Credentials,
        hints: ResumeHints,
        key: RateLimitKey,
    ) -> Result<Subscription, End> {
        let resumes = Hub::resumes(&prepared, &hints);
        let patience = self.config.stream.resume_timeout;
        let patience = if resumes { patience } else { Duration::ZERO };
        let opened = self.open_within(patience, prepared, ctx, credentials, hints, key);
        opened.await.map_err(|refused| {
            let may_pass = refused.code().retryable() && !refused.is_own_limit();
            // What a stream needs stops with the process.
            let is_stopping = self.drain.has_begun() || self.tasks.token().is_cancelled();
            match refused {
                _ if may_pass && is_stopping => End::interrupted(ErrorCode::ServerDraining, ""),
                refused if may_pass && resumes => End::before_a_frame(refused, ""),
                refused => End::Refused(refused),
            }
        })
    }

    async fn open_within(
        &self,
        patience: Duration,
        prepared: Prepared,
        ctx: RequestContext,
        credentials: Credentials,
        hints: ResumeHints,
        key: RateLimitKey,
    ) -> Result<Subscription, RequestError> {
        self.budget.charge(key.clone(), prepared.cost())?;
        let until = Instant::now() + patience;
        let mut pause = FIRST_PAUSE;
        loop {
            let (prepared, key) = (prepared.clone(), key.clone());
            let (ctx, credentials) = (ctx.clone(), credentials.clone());
            let opened = match self.admit(&prepared, &ctx, None).await {
                Ok(permit) => {
                    let opening = self.hub.open(prepared, ctx, credentials, &hints, key);
                    // A future that is given another has room for it twice.
                    permit.hold(Box::pin(opening)).await
                }
                Err(refused) => Err(refused),
            };
            let is_late = Instant::now() + pause > until || self.drain.has_begun();
            match opened {
                Err(refused) if may_pass_soon(refused.code()) && !is_late => {}
                settled => return settled,
            }
            // Of a crowd that was refused together, none tries again together with another.
            sleep(pause + Share::take().of(pause)).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    /// Charges and runs a query or a mutation, whose client leaves at `leaves_at` where it said so.
    ///
    /// # Errors
    /// `RATE_LIMITED` and `OVERLOADED` before it began, `DEADLINE_EXCEEDED` when it did not end in time; a mutation may
    /// still happen then, and a retry with the same idempotency key finds out.
    ///
    /// # Cancel safety
    /// A dropped query stops; a mutation that began runs to its end in a task of its own, which the drain waits for.
    pub(super) async fn run(
        &self,
        prepared: Prepared,
        mut ctx: RequestContext,
        key: RateLimitKey,
        leaves_at: Option<Instant>,
    ) -> Result<Executed, RequestError> {
        let charge = self.budget.charge(key, prepared.cost())?;
        let permit = self.admit(&prepared, &ctx, leaves_at).await?;
        let passed_back = ctx.data.get::<ResponseHeaders>().cloned();
        let is_mutation = prepared.kind() == OperationKind::Mutation;
        // The engine keeps the deadline itself and responds with what it has; this bound holds when it does not.
        ctx.leaves_at = leaves_at;
        ctx.may_share = !is_mutation;
        let mut limit = ctx.deadline + Duration::from_secs(1);
        match leaves_at {
            // What has begun to change something is not cut off in the middle; only its client leaves.
            Some(leaves_at) if is_mutation => limit = limit.min(leaves_at),
            Some(leaves_at) => ctx.deadline = ctx.deadline.min(leaves_at),
            None => {}
        }
        let response = async {
            if is_mutation {
                self.detached(prepared, ctx, charge, permit).await
            } else {
                // Its future is large, and each that waits for it would move it.
                let execution = Box::pin(self.engine.execute(&prepared, &ctx));
                permit.hold(with_charge(charge, execution)).await
            }
        };
        match timeout_at(limit, response).await {
            Ok(response) => Ok(Executed {
                response,
                charge,
                headers: passed_back.map(|kept| kept.take()).unwrap_or_default(),
            }),
            Err(_) => Err(RequestError::masked(ErrorCode::DeadlineExceeded)),
        }
    }

    async fn detached(
        &self,
        prepared: Prepared,
        ctx: RequestContext,
        charge: Charge,
        permit: Permit,
    ) -> GraphResponse {
        let engine = Arc::clone(&self.engine);
        let running = async move {
            let execution = with_charge(charge, engine.execute(&prepared, &ctx));
            permit.hold(execution).await
        };
        let response = self.tasks.spawn("mutation", running.in_current_span());
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

/// Whether a stream that was refused may be opened in a moment.
const fn may_pass_soon(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::Overloaded | ErrorCode::Unavailable | ErrorCode::DeadlineExceeded
    )
}

/// Every name that a rule of a subgraph passes on; the engine has refused those that are none.
fn passed_on(config: &Config) -> Vec<HeaderName> {
    let rules = config.subgraphs.values();
    let names = rules.flat_map(|rules| &rules.forward_headers);
    let mut names: Vec<HeaderName> = names
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        .collect();
    names.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    names.dedup();
    names
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
        let mut data = forwarded.data();
        if let Some(headers) = request.data.get::<ClientHeaders>() {
            data.insert(headers.clone());
        }
        if let Some(headers) = request.data.get::<ResponseHeaders>() {
            data.insert(headers.clone());
        }
        RequestContext {
            headers: Arc::new(forwarded.headers()),
            data: Arc::new(data),
            ..request.clone()
        }
    })
}
