//! How a fetch reaches its subgraph.
//!
//! In: a precomputed operation, its variables as JSON and the caller. Out: the subgraph's JSON response as bytes.

mod breaker;
mod coalesced;
mod config;
mod error;
mod fetch;
mod fields;
mod gather;
mod guard;
mod headers;
mod http;
mod lane;
mod listener;
mod live;
mod pool;
mod route;

use std::fmt;
use std::sync::Arc;

use url::Url;

pub use crate::graph::{
    Declared, Link, Member, OwnSubscriptions, RouteError, SubscriptionField, Subscriptions,
};
use crate::host::{Host, PublicCodes};
pub(crate) use coalesced::Mutations;
pub use config::FetchConfig;
pub use error::FetchError;
pub use fetch::{FetchRequest, Subgraph};
pub use fields::RootFields;
pub use headers::{ClientHeaders, HeaderRules, ResponseHeaders};
pub use lane::{Lane, Lanes};
pub use listener::{Listener, LiveEvent};
pub use route::{Route, Routes};

/// Where a subgraph is.
#[derive(Clone)]
pub enum Transport {
    /// Elsewhere, by GraphQL over HTTP.
    Http(Url),
    /// Anything that executes operations, such as a schema of this process.
    Custom(Arc<dyn Subgraph>),
    /// A few root fields of this process; they cannot be out of reach, so nothing guards them.
    Fields(Arc<dyn RootFields>),
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(url) => write!(f, "Http({url})"),
            Self::Custom(_) => f.write_str("Custom"),
            Self::Fields(_) => f.write_str("Fields"),
        }
    }
}

/// A subgraph that is connected, and how.
#[derive(Clone)]
pub(crate) struct Connected {
    /// What carries fetches to it.
    pub(crate) subgraph: Arc<dyn Subgraph>,
    /// Whether the embedding process answers for it, its subscriptions included.
    pub(crate) is_ours: bool,
    /// Which of its error codes clients may read.
    pub(crate) codes: PublicCodes,
    route: Route,
}

impl Connected {
    /// Whether it gets headers of the client's own request, or the client gets headers of its responses.
    pub(crate) fn exchanges_headers(&self) -> bool {
        let rules = &self.route.headers;
        !rules.forward.is_empty() || !rules.respond.is_empty()
    }

    /// Connects a route, behind its guards; one that is as it was keeps its connections, and its breaker what it knows.
    ///
    /// # Errors
    /// [`RouteError::Certificates`].
    pub(crate) fn new(
        name: &str,
        route: Route,
        before: Option<&Self>,
        config: &FetchConfig,
        host: &Host,
        mutations: &Mutations,
    ) -> Result<Self, RouteError> {
        if let Some(before) = before.filter(|before| before.route.is_same(&route)) {
            return Ok(before.clone());
        }
        let config = route.fetch.as_ref().unwrap_or(config);
        let guarded = |inner| {
            let guarded = guard::Guarded::new(name, inner, config.clone(), host.telemetry.clone());
            Arc::new(guarded) as Arc<dyn Subgraph>
        };
        let subgraph = match &route.transport {
            Transport::Http(url) => {
                let subscriptions = route.subscriptions.as_ref().unwrap_or(url);
                let headers = &route.headers;
                let http = http::Http::new(name, url, subscriptions, config, headers, host)?;
                let guarded = guarded(Arc::new(http));
                // What a subgraph gives one client beside the data is not another's.
                if config.coalescing_enabled && headers.respond.is_empty() {
                    let (mutations, telemetry) = (mutations.clone(), host.telemetry.clone());
                    Arc::new(coalesced::Coalesced::new(
                        name, guarded, headers, config, mutations, telemetry,
                    ))
                } else {
                    guarded
                }
            }
            Transport::Custom(custom) => guarded(custom.clone()),
            Transport::Fields(fields) => Arc::new(fields::Fields(fields.clone())),
        };
        let is_ours = matches!(route.transport, Transport::Fields(_));
        let codes = route.codes.as_ref().unwrap_or(&host.codes).clone();
        Ok(Self {
            subgraph,
            is_ours,
            codes,
            route,
        })
    }
}
