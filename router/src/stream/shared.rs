//! Completes frames for all streams together: what several ask for at once is fetched once, nobody has more than a share of
//! the fetches, and each is charged to its caller like a query.
//!
//! Invariants: a frame that cannot be charged or fetched is late, never empty: its order is missing only where the graph says
//! so. What fails for longer than a frame may take ends its stream, before the frame.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use chassis::{
    budget::{Budget, RateLimitKey},
    places::Places,
    principal::Principal,
};
use federation::{Engine, Prepared, RequestContext};
use moka::future::Cache;
use schema::code::ErrorCode;
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout_at};

use super::verdict::Verdict;
use crate::{config, error::RequestError};

/// How long a completed frame is kept for streams that come to it a little later, and the memory of all that are kept.
const KEPT_FOR: Duration = Duration::from_secs(2);
const KEPT_BYTES: u64 = 16 << 20;
/// Pauses between the tries of one frame: the first, and what they grow to.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(1);
/// How long a frame waits for what its order is not made of, such as comments.
const PATIENCE_FOR_HOLES: Duration = Duration::from_secs(1);

/// Completes the frames of all streams.
#[derive(Debug)]
pub(super) struct Frames {
    engine: Arc<Engine>,
    budget: Arc<Budget>,
    /// Fetches that run at once.
    places: Places<RateLimitKey>,
    kept: Cache<Wanted, Bytes>,
    config: config::Stream,
}

/// Who asks for a frame.
#[derive(Debug, Clone)]
pub(super) struct Asker {
    pub(super) prepared: Prepared,
    pub(super) ctx: RequestContext,
    pub(super) key: RateLimitKey,
}

/// What a frame is made of. Equal ones are the same frame.
#[derive(Debug, Clone)]
struct Wanted {
    prepared: Prepared,
    /// Whose rights it is read with; `None` for nobody's, which is never shared.
    reader: Option<Reader>,
    object: Arc<str>,
}

/// What of a principal decides what it may read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Reader {
    user: Option<i64>,
    is_ops: bool,
    is_customer: bool,
    service: Option<String>,
}

impl Frames {
    pub(super) fn new(engine: Arc<Engine>, budget: Arc<Budget>, config: config::Stream) -> Self {
        let weight = |wanted: &Wanted, body: &Bytes| {
            u32::try_from(wanted.object.len() + body.len()).unwrap_or(u32::MAX)
        };
        Self {
            engine,
            budget,
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

    /// The response that shows `object`, the root field's object, with the entities that the operation asks for and with
    /// `cursor` among its extensions.
    ///
    /// # Errors
    /// Why the stream must end before this frame.
    pub(super) async fn complete(
        &self,
        asker: &Asker,
        object: Value,
        cursor: &str,
    ) -> Result<Bytes, RequestError> {
        let principal = asker.ctx.data.get::<Arc<Principal>>();
        if principal.is_none() || !asker.prepared.fetches_for_events() {
            return self.make(asker, &object, cursor).await;
        }
        let wanted = Wanted {
            prepared: asker.prepared.clone(),
            reader: principal.map(|principal| Reader::of(principal)),
            object: object.to_string().into(),
        };
        let making = self.make(asker, &object, cursor);
        let made = self.kept.try_get_with(wanted, making).await;
        made.map_err(|error: Arc<RequestError>| (*error).clone())
    }

    async fn make(
        &self,
        asker: &Asker,
        object: &Value,
        cursor: &str,
    ) -> Result<Bytes, RequestError> {
        self.charge(asker).await?;
        if !asker.prepared.fetches_for_events() {
            let executed = self.execute(asker, object, cursor, self.deadline());
            return Ok(executed.await?.0);
        }
        let place = self.places.take(&asker.key).await;
        // The time to wait for a place is not the frame's.
        let (began_at, deadline) = (Instant::now(), self.deadline());
        let mut place = Some(place);
        let mut pause = FIRST_PAUSE;
        loop {
            let (body, verdict) = self.execute(asker, object, cursor, deadline).await?;
            drop(place.take());
            let late = match verdict {
                Verdict::Whole => return Ok(body),
                Verdict::Holes => began_at + PATIENCE_FOR_HOLES,
                Verdict::Lost(_) => deadline,
            };
            if Instant::now() + pause >= late {
                return match verdict {
                    Verdict::Lost(code) => Err(RequestError::masked(code)),
                    Verdict::Holes | Verdict::Whole => Ok(body),
                };
            }
            tokio::time::sleep(pause).await;
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
        object: &Value,
        cursor: &str,
        deadline: Instant,
    ) -> Result<(Bytes, Verdict), RequestError> {
        // A try may come after a reload: what the old graph cannot reach any more, the new one may.
        let renewed = self.renewed(&asker.prepared).await?;
        let prepared = renewed.as_ref().unwrap_or(&asker.prepared);
        let ctx = RequestContext {
            deadline,
            ..asker.ctx.clone()
        };
        let mut extensions = Map::new();
        extensions.insert("cursor".to_owned(), cursor.into());
        let executed = self
            .engine
            .execute_event(prepared, object.clone(), extensions, &ctx);
        // The engine keeps the deadline itself; the second after it is for its own response.
        Ok(
            match timeout_at(deadline + Duration::from_secs(1), executed).await {
                Ok(response) => {
                    let verdict = Verdict::of(&response.body, response.errors);
                    (response.body, verdict)
                }
                Err(_) => (Bytes::new(), Verdict::Lost(ErrorCode::DeadlineExceeded)),
            },
        )
    }

    /// An operation over the graph that is served now, if that is another. One that cannot be planned for the moment goes on
    /// over the old one.
    ///
    /// # Errors
    /// `GRAPHQL_VALIDATION_FAILED` or `BAD_VARIABLES` with `reason` `SCHEMA_CHANGED`: it is no operation of that graph.
    pub(super) async fn renewed(
        &self,
        prepared: &Prepared,
    ) -> Result<Option<Prepared>, RequestError> {
        match self.engine.renew(prepared).await {
            Ok(renewed) => Ok(renewed),
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
    pub(super) async fn charge(&self, asker: &Asker) -> Result<(), RequestError> {
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

impl Reader {
    fn of(principal: &Principal) -> Self {
        Self {
            user: principal.user.map(schema::id::UserId::get),
            is_ops: principal.scopes.ops,
            is_customer: principal.scopes.customer,
            service: principal.service.clone(),
        }
    }
}

impl PartialEq for Wanted {
    fn eq(&self, other: &Self) -> bool {
        self.object == other.object
            && self.reader == other.reader
            && self.prepared.is_same(&other.prepared)
    }
}

impl Eq for Wanted {}

impl Hash for Wanted {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Different operations of one caller on one event share a bucket; there are few.
        self.object.hash(state);
        self.reader.hash(state);
    }
}
