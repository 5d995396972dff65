//! How each subgraph of a supergraph is reached: what the supergraph declares, and what the embedding process says to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use url::Url;

use crate::graph::{Declared, OwnSubscriptions, RouteError, Subscriptions};
use crate::host::PublicCodes;
use crate::subgraph::{FetchConfig, HeaderRules, Transport};

/// How one subgraph is called.
#[derive(Debug, Clone)]
pub struct Route {
    /// Where it is.
    pub transport: Transport,
    /// Where it takes subscriptions, where that is not its address: over WebSocket at a `ws` or `wss` URL, else over SSE.
    pub subscriptions: Option<Url>,
    /// How it is called, where that is not as the engine's settings say.
    pub fetch: Option<FetchConfig>,
    /// Which headers it gets.
    pub headers: HeaderRules,
    /// Which of its error codes clients may read, where that is not as the host says.
    pub codes: Option<PublicCodes>,
}

/// Says how each subgraph of a supergraph is reached. Asked for every supergraph that is loaded, before it is served.
pub trait Routes: Send + Sync {
    /// Reads what a supergraph says of its subscriptions, before it is asked for the routes; what the process answers itself is
    /// marked so when they are asked for. By itself it answers none.
    ///
    /// # Errors
    /// Why the supergraph is not served, as a sentence.
    fn subscriptions(&self, _: &Subscriptions) -> Result<OwnSubscriptions, String> {
        Ok(OwnSubscriptions::default())
    }

    /// The route to one subgraph.
    ///
    /// # Errors
    /// [`RouteError`], and then the supergraph is not served.
    fn route(&self, declared: &Declared) -> Result<Route, RouteError>;
}

/// Transports by name, for a process that knows all its subgraphs beforehand.
impl Routes for BTreeMap<String, Transport> {
    fn route(&self, declared: &Declared) -> Result<Route, RouteError> {
        let found = self.get(&declared.name).cloned();
        found.map(Route::trusted).ok_or(RouteError::Missing)
    }
}

impl Route {
    /// The route to a subgraph of the process's own system: it gets the caller's headers and the host's credential.
    #[must_use]
    pub fn trusted(transport: Transport) -> Self {
        Self {
            transport,
            subscriptions: None,
            fetch: None,
            headers: HeaderRules::trusted(),
            codes: None,
        }
    }

    /// Whether calls by either go the same way, so that connections and what is known of the subgraph may be kept.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.transport.is_same(&other.transport)
            && self.subscriptions == other.subscriptions
            && self.fetch == other.fetch
            && self.headers == other.headers
            && self.codes == other.codes
    }
}

impl Transport {
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Http(one), Self::Http(other)) => one == other,
            (Self::Custom(one), Self::Custom(other)) => Arc::ptr_eq(one, other),
            (Self::Fields(one), Self::Fields(other)) => Arc::ptr_eq(one, other),
            (Self::Http(_) | Self::Custom(_) | Self::Fields(_), _) => false,
        }
    }

    /// A subgraph elsewhere, by its address as text.
    ///
    /// # Errors
    /// [`RouteError`] for an address that is empty, or no `http` or `https` URL.
    pub fn http(address: &str) -> Result<Self, RouteError> {
        if address.trim().is_empty() {
            return Err(RouteError::Missing);
        }
        let is_called = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
        let url = Url::parse(address).ok().filter(is_called);
        url.map(Self::Http).ok_or_else(|| RouteError::Url {
            url: without_user(address),
        })
    }
}

/// An address without what stands before its `@`, which may be a password.
fn without_user(address: &str) -> String {
    let mut shown: String = address.chars().take(200).collect();
    if let (Some(at), start) = (shown.rfind('@'), shown.find("://").map_or(0, |it| it + 3))
        && start <= at
    {
        shown.replace_range(start..at, "***");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_that_can_be_called_or_is_refused_without_its_password() {
        for good in ["http://a/graphql", "https://a:1/", "http://[::1]:9/x"] {
            assert!(
                matches!(Transport::http(good), Ok(Transport::Http(_))),
                "{good}"
            );
        }
        for missing in ["", "  "] {
            assert_eq!(Transport::http(missing).unwrap_err(), RouteError::Missing);
        }
        for bad in [
            "local:events",
            "ftp://u:hidden@h/",
            "://u:hidden@h",
            "nonsense",
        ] {
            let refused = Transport::http(bad).unwrap_err().to_string();
            assert!(refused.contains("no http or https URL"), "{refused}");
            assert!(!refused.contains("hidden"), "{refused}");
        }
    }
}
