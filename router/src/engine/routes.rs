//! How the subgraphs of a graph are reached: the shop's own, the router's own, and anybody's.
//!
//! Invariant: the caller's token and the service's go to the shop's own subgraphs alone. One of these names is the shop's where
//! the supergraph gives it the address that the built-in one gives it, or an operator's setting says where it is.

use std::{collections::BTreeMap, sync::Arc};

use federation::{
    Code, Declared, GraphqlError, HeaderRules, OwnSubscriptions, PublicCodes, RequestContext,
    RootFields, Route, RouteError, Routes, Subscriptions, Transport, subgraph::FetchConfig,
};
use futures::future::BoxFuture;
use http::{HeaderName, HeaderValue, header};
use serde_json::Value;
use url::Url;

use crate::config;

/// The subgraph whose Query the router resolves itself.
const EVENTS: &str = "events";

/// Headers that say how this response is carried, or who may read it.
const OURS: [HeaderName; 9] = [
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::UPGRADE,
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::CONTENT_SECURITY_POLICY,
];

/// Reads what a supergraph says of its subscriptions, or says why it cannot be served.
pub type ReadStreams =
    Arc<dyn Fn(&Subscriptions) -> Result<OwnSubscriptions, String> + Send + Sync>;

/// Where subgraphs are.
pub struct Subgraphs {
    /// The shop's own, by name.
    pub shop: BTreeMap<String, Transport>,
    /// Addresses that an operator set, by name.
    pub set: BTreeMap<String, String>,
    /// Gives what resolves the fields of `events`; called when a graph has it.
    pub events: Arc<dyn Fn() -> Arc<dyn RootFields> + Send + Sync>,
    /// Reads which subscriptions a graph has from topics.
    pub streams: ReadStreams,
}

impl std::fmt::Debug for Subgraphs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subgraphs")
            .field("shop", &self.shop)
            .finish_non_exhaustive()
    }
}

/// Why the settings of a subgraph are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("router.subgraphs.{name}.{setting}: {entry} is no {wanted}")]
pub struct RuleError {
    name: String,
    setting: &'static str,
    entry: String,
    wanted: &'static str,
}

/// The root fields of a subgraph that has streams and nothing else.
struct Nothing;

impl RootFields for Nothing {
    fn resolve<'a>(
        &'a self,
        _: &'a str,
        _: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Value, GraphqlError>> {
        Box::pin(async { Err(GraphqlError::internal()) })
    }
}

/// The routes of this router.
pub(super) struct Reach {
    subgraphs: Subgraphs,
    rules: BTreeMap<String, Rules>,
    built_in: BTreeMap<String, String>,
}

/// What the settings say of one subgraph.
#[derive(Debug, Clone, Default)]
struct Rules {
    fetch: Option<FetchConfig>,
    subscriptions: Option<Url>,
    headers: HeaderRules,
    codes: Option<PublicCodes>,
}

/// Whether a graph's subgraph is one of the built-in graph's.
pub(crate) fn built_in() -> BTreeMap<String, String> {
    let declared = federation::declared(schema::sdl::SUPERGRAPH).unwrap_or_default();
    declared.into_iter().map(|it| (it.name, it.url)).collect()
}

impl Reach {
    /// Reads the rules.
    ///
    /// # Errors
    /// [`RuleError`] names the entry that is no header or no code.
    pub(super) fn new(
        subgraphs: Subgraphs,
        settings: &BTreeMap<String, config::Subgraph>,
        fetch: &FetchConfig,
    ) -> Result<Self, RuleError> {
        let rules = settings.iter().map(|(name, settings)| {
            let rules = Rules::read(name, settings, fetch)?;
            Ok((name.clone(), rules))
        });
        Ok(Self {
            subgraphs,
            rules: rules.collect::<Result<_, _>>()?,
            built_in: built_in(),
        })
    }

    /// The transport of the shop's own subgraph, if it is that.
    fn of_the_shop(&self, declared: &Declared) -> Option<Transport> {
        let transport = self.subgraphs.shop.get(&declared.name)?;
        let is_ours = self.built_in.get(&declared.name) == Some(&declared.url)
            || self.subgraphs.set.contains_key(&declared.name);
        is_ours.then(|| transport.clone())
    }
}

impl Routes for Reach {
    fn subscriptions(&self, said: &Subscriptions) -> Result<OwnSubscriptions, String> {
        (self.subgraphs.streams)(said)
    }

    fn route(&self, declared: &Declared) -> Result<Route, RouteError> {
        let name = declared.name.as_str();
        let rules = self.rules.get(name).or_else(|| self.rules.get("*"));
        let rules = rules.cloned().unwrap_or_default();
        let is_events = name == EVENTS && self.built_in.get(EVENTS) == Some(&declared.url);
        if is_events {
            if !declared.is_own {
                tracing::warn!(
                    "subgraph events describes no streams, so its subscriptions fail: compose the supergraph anew with the schema of this release"
                );
            }
            return Ok(Route::trusted(Transport::Fields((self.subgraphs.events)())));
        }
        // A topic answers for it: whatever its address is, nobody is there.
        if declared.is_own {
            return Ok(Route::trusted(Transport::Fields(Arc::new(Nothing))));
        }
        let ours = self.of_the_shop(declared);
        let is_trusted = ours.is_some();
        let transport = match ours {
            Some(transport) => transport,
            None => Transport::http(self.subgraphs.set.get(name).unwrap_or(&declared.url))?,
        };
        // Another's code is only known where a setting names it.
        let theirs = (!is_trusted).then(PublicCodes::default);
        Ok(Route {
            transport,
            subscriptions: rules.subscriptions,
            fetch: rules.fetch,
            headers: HeaderRules {
                is_trusted,
                ..rules.headers
            },
            codes: rules.codes.filter(|_| !is_trusted).or(theirs),
        })
    }
}

impl Rules {
    fn read(
        name: &str,
        settings: &config::Subgraph,
        fetch: &FetchConfig,
    ) -> Result<Self, RuleError> {
        let refuse = |setting, entry: &str, wanted| RuleError {
            name: name.to_owned(),
            setting,
            entry: entry.to_owned(),
            wanted,
        };
        let names = |setting, entries: &[String]| {
            let read = entries.iter().map(|entry| {
                let name = HeaderName::try_from(entry.trim());
                name.map_err(|_| refuse(setting, entry, "name of a header"))
            });
            read.collect::<Result<Vec<_>, _>>()
        };
        let inserted = settings.insert_headers.iter().map(|entry| {
            // The entry may be a secret.
            let wrong = || refuse("insert_headers", "an entry", "header as name: value");
            read_header(entry.expose()).ok_or_else(wrong)
        });
        let mut fetch = fetch.clone();
        fetch.timeout = settings.timeout.unwrap_or(fetch.timeout);
        fetch.retry_enabled = settings.retry_enabled.unwrap_or(fetch.retry_enabled);
        fetch.coalescing_enabled = settings
            .coalescing_enabled
            .unwrap_or(fetch.coalescing_enabled);
        fetch.breaker_failures = settings.breaker_failures.unwrap_or(fetch.breaker_failures);
        fetch.max_response_bytes = settings
            .max_response_bytes
            .unwrap_or(fetch.max_response_bytes);
        fetch.http2_prior_knowledge = settings
            .http2_prior_knowledge
            .unwrap_or(fetch.http2_prior_knowledge);
        let subscriptions = settings.subscription_url.as_deref().map(|text| {
            let is_known = |url: &Url| matches!(url.scheme(), "ws" | "wss" | "http" | "https");
            let url = Url::parse(text)
                .ok()
                .filter(|url| is_known(url) && url.has_host());
            // The address may hold a password.
            url.ok_or_else(|| refuse("subscription_url", "it", "ws, wss, http or https URL"))
        });
        let respond = names("response_headers", &settings.response_headers)?;
        if let Some(name) = respond.iter().find(|name| OURS.contains(name)) {
            return Err(refuse(
                "response_headers",
                name.as_str(),
                "header that a subgraph may set",
            ));
        }
        let codes = settings.public_codes.iter();
        // Settings are read once, so what is leaked stays small.
        let codes = codes.map(|code| Code::new(Box::leak(code.clone().into_boxed_str())));
        Ok(Self {
            fetch: Some(fetch),
            subscriptions: subscriptions.transpose()?,
            headers: HeaderRules {
                is_trusted: false,
                forward: names("forward_headers", &settings.forward_headers)?,
                insert: inserted.collect::<Result<_, _>>()?,
                remove: names("remove_headers", &settings.remove_headers)?,
                respond,
            },
            codes: Some(codes.collect()),
        })
    }
}

/// Reads `name: value`; the value is kept from every log.
pub(crate) fn read_header(text: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = text.split_once(':')?;
    let mut value = HeaderValue::try_from(value.trim()).ok()?;
    value.set_sensitive(true);
    Some((HeaderName::try_from(name.trim()).ok()?, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(set: &[(&str, &str)], rules: &[(&str, config::Subgraph)]) -> Result<Reach, RuleError> {
        let ours = Transport::http("http://ours/graphql").unwrap();
        let shop = ["cart", "comments"].map(|name| (name.to_owned(), ours.clone()));
        let own = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        let subgraphs = Subgraphs {
            shop: shop.into(),
            set: set.iter().map(own).collect(),
            events: Arc::new(|| unreachable!("no graph has events here")),
            streams: Arc::new(|_| Ok(OwnSubscriptions::default())),
        };
        let rules = rules
            .iter()
            .map(|(name, rules)| ((*name).to_owned(), rules.clone()));
        Reach::new(subgraphs, &rules.collect(), &FetchConfig::default())
    }

    fn route(reach: &Reach, name: &str, url: &str) -> Result<(String, bool), RouteError> {
        let declared = Declared {
            name: name.to_owned(),
            url: url.to_owned(),
            is_own: false,
        };
        let route = reach.route(&declared)?;
        Ok((format!("{:?}", route.transport), route.headers.is_trusted))
    }

    #[test]
    fn only_the_shops_own_subgraphs_are_trusted_with_tokens() {
        let shops = built_in();
        let plain = reach(&[("reviews", "http://set/")], &[]).unwrap();
        let ours = ("Http(http://ours/graphql)".to_owned(), true);
        assert_eq!(route(&plain, "cart", &shops["cart"]).unwrap(), ours);
        let foreign = route(&plain, "comments", "http://elsewhere/").unwrap();
        assert_eq!(foreign, ("Http(http://elsewhere/)".to_owned(), false));
        let set = route(&plain, "reviews", "http://elsewhere/").unwrap();
        assert_eq!(set, ("Http(http://set/)".to_owned(), false));
        let renamed = route(&plain, "mine", &shops["cart"]).unwrap();
        assert!(!renamed.1, "the address alone makes nothing ours");
        assert_eq!(route(&plain, "a", "").unwrap_err(), RouteError::Missing);
        assert!(route(&plain, EVENTS, "local:other").is_err());
        let set = reach(&[("comments", "http://ours/graphql")], &[]).unwrap();
        assert_eq!(route(&set, "comments", "http://elsewhere/").unwrap(), ours);
    }

    #[test]
    fn a_rule_that_is_no_header_is_named_without_its_value() {
        let rules = |change: fn(&mut config::Subgraph)| {
            let mut rules = config::Subgraph::default();
            change(&mut rules);
            reach(&[], &[("reviews", rules)])
                .err()
                .map(|it| it.to_string())
        };
        assert_eq!(
            rules(|it| it.insert_headers = vec!["x: hidden".to_owned().into()]),
            None
        );
        for (said, refused) in [
            (
                rules(|it| it.forward_headers = vec!["a b".to_owned()]),
                "router.subgraphs.reviews.forward_headers: a b",
            ),
            (
                rules(|it| it.insert_headers = vec!["hidden".to_owned().into()]),
                "router.subgraphs.reviews.insert_headers: an entry",
            ),
        ] {
            let said = said.unwrap();
            assert!(said.contains(refused) && !said.contains("hidden"), "{said}");
        }
    }
}
