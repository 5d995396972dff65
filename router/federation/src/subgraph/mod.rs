//! How a fetch reaches its subgraph.
//!
//! In: a precomputed operation, its variables as JSON and the caller. Out: the subgraph's JSON response as bytes.

mod breaker;
mod config;
mod fetch;
mod fields;
mod guard;
mod http;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use url::Url;

use crate::host::Host;
pub use config::FetchConfig;
pub use fetch::{FetchError, FetchRequest, Subgraph};
pub use fields::RootFields;

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

/// Connects the transports, each behind its guards.
pub(crate) fn connect(
    transports: BTreeMap<String, Transport>,
    config: &FetchConfig,
    host: &Host,
) -> HashMap<String, Arc<dyn Subgraph>> {
    let telemetry = &host.telemetry;
    let guarded =
        |name: &str, inner| guard::Guarded::new(name, inner, config.clone(), telemetry.clone());
    let connected = transports.into_iter().map(|(name, transport)| {
        let subgraph: Arc<dyn Subgraph> = match transport {
            Transport::Http(url) => {
                let http = http::Http::new(&url, config, host);
                Arc::new(guarded(&name, Arc::new(http)))
            }
            Transport::Custom(custom) => Arc::new(guarded(&name, custom)),
            Transport::Fields(fields) => Arc::new(fields::Fields(fields)),
        };
        (name, subgraph)
    });
    connected.collect()
}
