//! Completes frames for all streams together: what several ask for at once is made once, nobody has more than a share of the
//! places, and each frame is charged to its caller like a query.
//!
//! Invariants: a frame that cannot be charged or fetched is late, never empty: what it lacks is what the graph does not have.
//! What fails for longer than a frame may take ends its stream, before the frame.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use chassis::{
    budget::{Budget, RateLimitKey},
    places::Places,
    principal::Principal,
};
use federation::{Engine, Lanes, Prepared, RequestContext};
use futures::FutureExt as _;
use moka::future::Cache;
use schema::code::ErrorCode;
use tokio::time::{Instant, timeout_at};

use super::{
    groups::{Group, Groups},
    identity::Identities,
    metrics,
    pending::{Entity, PendingFrame},
    verdict::Verdict,
    work::Work,
};
use crate::{config, error::RequestError};

/// How long a completed frame is kept for streams that come to it a little later, and the memory of all that are kept.
const KEPT_FOR: Duration = Duration::from_secs(2);
const KEPT_BYTES: u64 = 16 << 20;
/// Pauses between the tries of one frame: the first, and what they grow to.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(1);
/// Entities that one call asks for on behalf of several frames.
const ENTITIES_A_CALL: usize = 100;

/// Completes the frames of all streams.
#[derive(Debug)]
pub(super) struct Frames {
    engine: Arc<Engine>,
    budget: Arc<Budget>,
    groups: Groups,
    identities: Identities,
    /// Frames that are completed at once.
    places: Places<RateLimitKey>,
    kept: Cache<Wanted, Bytes>,
    config: config::Stream,
}

/// Who asks for a frame.
#[derive(Debug)]
pub(super) struct Asker {
    pub(super) prepared: Prepared,
    pub(super) ctx: RequestContext,
    pub(super) key: RateLimitKey,
    group: Arc<Group>,
}

/// A frame of a group. Equal ones are the same frame.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Wanted {
    group: u64,
    kind: &'static str,
    version: Option<(Entity, u32)>,
    cursor: Box<str>,
}

impl Wanted {
    fn of(asker: &Asker, pending: &PendingFrame) -> Self {
        let (kind, version) = pending.identity();
        Self {
            group: asker.group.id(),
            kind,
            version,
            cursor: pending.cursor.as_str().into(),
        }
    }
}

/// Why a frame is not whole.
enum Unfinished {
    /// Its operation is none of the graph that is served now.
    Refused(RequestError),
    /// It still lacked something after the last try.
    Late {
        code: ErrorCode,
        /// What there is of it.
        body: Bytes,
    },
}

impl Frames {
    pub(super) fn new(
        engine: Arc<Engine>,
        budget: Arc<Budget>,
        identities: impl FnOnce(Arc<Lanes>) -> Identities,
        config: config::Stream,
    ) -> Self {
        let weight = |wanted: &Wanted, body: &Bytes| {
            let bytes = wanted.cursor.len() + size_of::<Wanted>() + body.len();
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let lanes = Lanes::new(config.frame_calls_max, ENTITIES_A_CALL);
        Self {
            engine,
            budget,
            groups: Groups::default(),
            identities: identities(lanes),
            places: Places::new(
                config.frame_fetches_max,
                config.frame_fetches_per_caller_max,
            ),
            kept: Cache::builder()
                .max_capacity(KEPT_BYTES)
                .weigher(weight)
                .time_to_live(KEPT_FOR)
                .build(),
            config,
        }
    }

    /// A stream that asks for frames.
    pub(super) fn asker(
        &self,
        prepared: Prepared,
        ctx: RequestContext,
        key: RateLimitKey,
    ) -> Asker {
        let principal = ctx.data.get::<Arc<Principal>>();
        let group = self.groups.join(&prepared, principal.map(|it| &**it));
        Asker {
            prepared,
            ctx,
            key,
            group,
        }
    }

    /// The response that shows a frame, with the entities that the operation asks for, and with its cursor among the
    /// extensions.
    ///
    /// # Errors
    /// Why the stream must end before this frame.
    pub(super) async fn complete(
        &self,
        asker: &Asker,
        pending: &PendingFrame,
    ) -> Result<Bytes, RequestError> {
        if !asker.group.has_several() {
            return self.make(asker, pending).await;
        }
        let wanted = Wanted::of(asker, pending);
        let mut is_made = false;
        let making = async {
            is_made = true;
            self.make(asker, pending).await
        };
        let made = self.kept.try_get_with(wanted, making).await;
        metrics::SHARED.inc_by(u64::from(!is_made));
        made.map_err(|error: Arc<RequestError>| (*error).clone())
    }

    /// The same, where another stream has had it made.
    pub(super) fn made(&self, asker: &Asker, pending: &PendingFrame) -> Option<Bytes> {
        if !asker.group.has_several() {
            return None;
        }
        // Where looking would have to wait, it is looked again by whoever makes it.
        let looked = self.kept.get(&Wanted::of(asker, pending)).now_or_never();
        let made = looked.flatten()?;
        metrics::SHARED.inc();
        Some(made)
    }

    async fn make(&self, asker: &Asker, pending: &PendingFrame) -> Result<Bytes, RequestError> {
        self.charge(asker).await?;
        let event = Work::Event(pending);
        let made = self.try_until_whole(asker, event).await;
        made.map_err(|unfinished| match unfinished {
            Unfinished::Refused(error) => error,
            Unfinished::Late { code, .. } => RequestError::masked(code),
        })
    }

    /// The frame of a stream that cannot come back to it: as whole as it got in its time.
    ///
    /// # Errors
    /// `RATE_LIMITED`, and what there is nothing of.
    pub(super) async fn complete_live(
        &self,
        asker: &Asker,
        response: Bytes,
        may_be_missing: bool,
    ) -> Result<Bytes, RequestError> {
        self.charge(asker).await?;
        let event = Work::Live {
            response,
            may_be_missing,
        };
        match self.try_until_whole(asker, event).await {
            Ok(body) => Ok(body),
            Err(Unfinished::Late { code, body }) if body.is_empty() => {
                Err(RequestError::masked(code))
            }
            Err(Unfinished::Late { body, .. }) => Ok(body),
            Err(Unfinished::Refused(error)) => Err(error),
        }
    }

    async fn try_until_whole(&self, asker: &Asker, event: Work<'_>) -> Result<Bytes, Unfinished> {
        if !asker.prepared.fetches_for_events() {
            let (body, _) = self.execute(asker, &event, self.deadline()).await?;
            return Ok(body);
        }
        let mut place = Some(self.places.take(&asker.key).await);
        // The time to wait for a place is not the frame's.
        let deadline = self.deadline();
        let mut pause = FIRST_PAUSE;
        loop {
            let (body, verdict) = self.execute(asker, &event, deadline).await?;
            drop(place.take());
            let Verdict::Late(code) = verdict else {
                return Ok(body);
            };
            if Instant::now() + pause >= deadline {
                return Err(Unfinished::Late { code, body });
            }
            tokio::time::sleep(pause).await;
            metrics::RETRIES.inc();
            pause = (pause * 2).min(LAST_PAUSE);
            place = Some(self.places.take(&asker.key).await);
        }
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.config.frame_timeout
    }

    async fn execute(
        &self,
        asker: &Asker,
        event: &Work<'_>,
        deadline: Instant,
    ) -> Result<(Bytes, Verdict), Unfinished> {
        // A try may come after a reload: what the old graph cannot reach any more, the new one may.
        let renewed = self.renewed(asker).await.map_err(Unfinished::Refused)?;
        let Asker {
            prepared,
            ctx,
            group,
            ..
        } = renewed.as_ref().unwrap_or(asker);
        let ctx = self.identities.context(ctx, group, deadline);
        let executed = event.run(&self.engine, prepared, &ctx);
        // The engine keeps the deadline itself; the second after it is for its own response.
        Ok(
            match timeout_at(deadline + Duration::from_secs(1), executed).await {
                Ok(response) => {
                    let verdict = Verdict::of(&response.body, response.errors);
                    (response.body, verdict)
                }
                Err(_) => (Bytes::new(), Verdict::Late(ErrorCode::DeadlineExceeded)),
            },
        )
    }

    /// The same stream over the graph that is served now, if that is another. One whose operation cannot be planned for the
    /// moment goes on over the old one.
    ///
    /// # Errors
    /// `GRAPHQL_VALIDATION_FAILED` or `BAD_VARIABLES` with `reason` `SCHEMA_CHANGED`: it is no operation of that graph.
    pub(super) async fn renewed(&self, asker: &Asker) -> Result<Option<Asker>, RequestError> {
        match self.engine.renew(&asker.prepared).await {
            Ok(None) => Ok(None),
            // Another graph may ask for other rights.
            Ok(Some(prepared)) => Ok(Some(self.asker(
                prepared,
                asker.ctx.clone(),
                asker.key.clone(),
            ))),
            Err(refused) => {
                let refused = RequestError::from(refused);
                match refused.code() {
                    ErrorCode::GraphqlValidationFailed | ErrorCode::BadVariables => {
                        Err(refused.with("reason", "SCHEMA_CHANGED"))
                    }
                    _ => Ok(None),
                }
            }
        }
    }

    /// Charges a frame; waits while its caller's budget is spent.
    async fn charge(&self, asker: &Asker) -> Result<(), RequestError> {
        let until = Instant::now() + self.config.charge_timeout;
        loop {
            let cost = asker.prepared.frame_cost();
            let Err(refused) = self.budget.charge(asker.key.clone(), cost) else {
                return Ok(());
            };
            // A window may begin anew sooner than it was said.
            let wait = refused.retry_after.min(LAST_PAUSE);
            if Instant::now() + wait > until {
                return Err(refused.into());
            }
            tokio::time::sleep(wait).await;
        }
    }
}
