//! As whom the entities of frames are read: as the caller, or for what belongs to the order as the router itself.

use std::{sync::Arc, time::Duration};

use chassis::{
    clock::Clock,
    graphql::Forwarded,
    principal::{Principal, SERVICE_TTL, Scopes, Signer},
};
use chrono::{DateTime, Utc};
use federation::{Lane, Lanes, RequestContext};
use http::{Extensions, HeaderMap};
use parking_lot::RwLock;
use tokio::time::Instant;

use super::{groups::Group, rights::Rights};

/// The router's name in its tokens.
const SERVICE: &str = "router";
/// A token this close to its end is replaced, so that it outlives the longest call.
const RENEW_BEFORE: Duration = Duration::from_secs(20);

/// Makes the contexts of fetches for frames.
#[derive(Debug)]
pub(super) struct Identities {
    signer: Arc<Signer>,
    clock: Clock,
    lanes: Arc<Lanes>,
    own: RwLock<Option<Own>>,
}

/// What the router's own fetches carry.
#[derive(Debug, Clone)]
struct Own {
    headers: Arc<HeaderMap>,
    data: Arc<Extensions>,
    expires_at: DateTime<Utc>,
}

impl Identities {
    pub(super) fn new(signer: Arc<Signer>, clock: Clock, lanes: Arc<Lanes>) -> Self {
        Self {
            signer,
            clock,
            lanes,
            own: RwLock::default(),
        }
    }

    /// The context for one try: of `ctx`, or of the router itself where nothing depends on the caller. Its fetches wait with
    /// those of other frames.
    pub(super) fn context(
        &self,
        ctx: &RequestContext,
        group: &Group,
        deadline: Instant,
    ) -> RequestContext {
        let (headers, data) = if *group.rights() == Rights::Order {
            let Own { headers, data, .. } = self.own(group);
            (headers, data)
        } else {
            let mut data = (*ctx.data).clone();
            data.insert(self.lane(group.reader()));
            (Arc::clone(&ctx.headers), Arc::new(data))
        };
        RequestContext {
            headers,
            data,
            deadline,
            // An event is completed by what is so after it, and by nothing that was asked before.
            may_share: false,
            ..ctx.clone()
        }
    }

    fn own(&self, group: &Group) -> Own {
        let now = self.clock.now();
        let is_valid = |own: &&Own| own.expires_at > now + RENEW_BEFORE;
        if let Some(own) = self.own.read().as_ref().filter(is_valid) {
            return own.clone();
        }
        let expires_at = now + SERVICE_TTL;
        let principal = Principal {
            user: None,
            scopes: Scopes {
                customer: false,
                ops: true,
            },
            expires_at,
            service: Some(SERVICE.to_owned()),
        };
        let forwarded = Forwarded {
            principal: Some(Arc::new(principal)),
            token: Some(self.signer.service_token(SERVICE, SERVICE_TTL)),
            idempotency_key: None,
        };
        let mut data = forwarded.data();
        data.insert(self.lane(group.reader()));
        let own = Own {
            headers: Arc::new(forwarded.headers()),
            data: Arc::new(data),
            expires_at,
        };
        *self.own.write() = Some(own.clone());
        own
    }

    fn lane(&self, reader: Arc<str>) -> Lane {
        Lane {
            lanes: Arc::clone(&self.lanes),
            reader,
        }
    }
}
