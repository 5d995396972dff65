//! Which headers a subgraph gets of its caller and of the host.

use std::sync::Arc;

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderName, HeaderValue};
use parking_lot::Mutex;

use crate::request::RequestContext;

/// The client's own headers, for rules that forward some. The engine looks for them in [`RequestContext::data`].
#[derive(Clone)]
pub struct ClientHeaders(pub Arc<HeaderMap>);

// Not the values: some are secrets.
impl std::fmt::Debug for ClientHeaders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

/// What the client gets of the headers of subgraphs' responses, where rules pass some on. The engine looks for it in
/// [`RequestContext::data`] and writes into it.
#[derive(Clone, Default)]
pub struct ResponseHeaders(Arc<Mutex<HeaderMap>>);

// Not the values: some are secrets.
impl std::fmt::Debug for ResponseHeaders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.lock().keys()).finish()
    }
}

impl ResponseHeaders {
    /// What was kept since the last time.
    #[must_use]
    pub fn take(&self) -> HeaderMap {
        std::mem::take(&mut *self.0.lock())
    }

    /// Keeps these headers of a response: every `set-cookie`, and of others what came last.
    pub(super) fn keep(&self, names: &[HeaderName], response: &HeaderMap) {
        if names.is_empty() {
            return;
        }
        let mut kept = self.0.lock();
        for name in names {
            let mut values = response.get_all(name).into_iter().cloned();
            if name != SET_COOKIE
                && let Some(first) = values.next()
            {
                kept.insert(name, first);
            }
            for value in values {
                kept.append(name, value);
            }
        }
    }
}

/// Which headers one subgraph gets. In order: those of the request's context if it is trusted, those forwarded of the
/// client's, those inserted; what is removed goes whichever of them brought it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HeaderRules {
    /// Whether it gets the headers of the request's context and the host's credential.
    pub is_trusted: bool,
    /// Headers of the client that are passed on.
    pub forward: Vec<HeaderName>,
    /// Headers that every fetch has.
    pub insert: Vec<(HeaderName, HeaderValue)>,
    /// Headers that it never gets.
    pub remove: Vec<HeaderName>,
    /// Headers of its responses that the client gets.
    pub respond: Vec<HeaderName>,
}

// Not the values: some are secrets.
impl std::fmt::Debug for HeaderRules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let inserted: Vec<_> = self.insert.iter().map(|(name, _)| name).collect();
        f.debug_struct("HeaderRules")
            .field("is_trusted", &self.is_trusted)
            .field("forward", &self.forward)
            .field("insert", &inserted)
            .field("remove", &self.remove)
            .field("respond", &self.respond)
            .finish()
    }
}

impl HeaderRules {
    /// The rules of a subgraph of the process's own system.
    #[must_use]
    pub fn trusted() -> Self {
        Self {
            is_trusted: true,
            ..Self::default()
        }
    }

    /// Adds what a fetch for this caller gets beside what every fetch has.
    pub(super) fn apply(&self, ctx: &RequestContext, headers: &mut HeaderMap) {
        if self.is_trusted {
            for (name, value) in &*ctx.headers {
                headers.append(name, value.clone());
            }
        }
        if let Some(ClientHeaders(client)) = ctx.data.get::<ClientHeaders>() {
            for name in &self.forward {
                let mut values = client.get_all(name).into_iter();
                if let Some(first) = values.next() {
                    headers.insert(name, first.clone());
                }
                for value in values {
                    headers.append(name, value.clone());
                }
            }
        }
        for (name, value) in &self.insert {
            headers.insert(name, value.clone());
        }
        for name in &self.remove {
            headers.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    fn names(rules: &HeaderRules) -> Vec<String> {
        let mut ctx = RequestContext::anonymous(Instant::now());
        let mut own = HeaderMap::new();
        own.insert("authorization", HeaderValue::from_static("Bearer own"));
        ctx.headers = Arc::new(own);
        let mut client = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer client"),
            ("x-a", "1"),
            ("x-a", "2"),
            ("cookie", "c"),
        ] {
            client.append(name, HeaderValue::from_static(value));
        }
        let mut data = http::Extensions::new();
        data.insert(ClientHeaders(Arc::new(client)));
        ctx.data = Arc::new(data);
        let mut headers = HeaderMap::new();
        rules.apply(&ctx, &mut headers);
        let text = |(name, value): (&HeaderName, &HeaderValue)| {
            format!("{name}: {}", value.to_str().unwrap())
        };
        headers.iter().map(text).collect()
    }

    #[test]
    fn a_subgraph_gets_what_its_rules_say_and_nothing_else() {
        assert_eq!(names(&HeaderRules::default()), Vec::<String>::new());
        assert_eq!(
            names(&HeaderRules::trusted()),
            ["authorization: Bearer own"]
        );
        let name = HeaderName::from_static;
        let rules = HeaderRules {
            forward: vec![name("x-a"), name("authorization"), name("x-none")],
            insert: vec![(name("x-key"), HeaderValue::from_static("k"))],
            ..HeaderRules::default()
        };
        let mut got = names(&rules);
        got.sort();
        assert_eq!(
            got,
            [
                "authorization: Bearer client",
                "x-a: 1",
                "x-a: 2",
                "x-key: k"
            ]
        );
        let rules = HeaderRules {
            remove: vec![name("authorization"), name("x-a")],
            ..rules
        };
        assert_eq!(names(&rules), ["x-key: k"]);
        assert!(!format!("{rules:?}").contains("\"k\""));
    }
}
