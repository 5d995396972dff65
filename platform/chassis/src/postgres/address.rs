//! Addresses of Postgres, in libpq's manner: one URL that may list several hosts, of which one is the primary.
//!
//! Source: Postgres's manual, 34.1.1.2 "Connection URIs" and 34.1.1.3 "Specifying Multiple Hosts".

use std::fmt;

use url::Url;

use crate::config::Secret;

/// Where Postgres is: a URL for each host, the first one first.
#[derive(Clone)]
pub struct Address {
    hosts: Vec<Url>,
    wanted: Wanted,
}

/// Which server serves a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Any that answers: of one host nothing is asked.
    Any,
    /// One that takes writes.
    Primary,
}

/// Why a text is no address. It never holds the text, which may have a password in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is no URL.
    #[error("it is not a valid URL ({0})")]
    Url(#[from] url::ParseError),
    /// It is a URL of something else.
    #[error("its scheme is {0}")]
    Scheme(String),
    /// A list of hosts has a gap.
    #[error("a host of the list is empty")]
    EmptyHost,
    /// Hosts stand in two places.
    #[error(
        "its parameter {0} names a host or a port beside the list; write hosts before the path, as in HOST1:5432,HOST2:5432"
    )]
    HostParameter(String),
    /// A role of servers that a service cannot use.
    #[error("target_session_attrs={0} is none of any, read-write and primary: services write")]
    Target(String),
    /// Of several hosts any may be a standby.
    #[error("target_session_attrs=any with several hosts may end at a standby, and services write")]
    AnyOfSeveral,
}

const TARGET: &str = "target_session_attrs";

impl Address {
    /// Reads a URL, for instance `postgres://user:password@one:5432,two:5432/db?target_session_attrs=read-write`.
    ///
    /// With several hosts the one is used that takes writes; with one host that is asked only if `target_session_attrs` says so.
    ///
    /// # Errors
    /// [`AddressError`] says what is wrong.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let mut hosts = Vec::new();
        let (before, list, after) = split(text);
        for host in list.split(',') {
            if host.is_empty() && list.contains(',') {
                return Err(AddressError::EmptyHost);
            }
            let url = Url::parse(&format!("{before}{host}{after}"))?;
            if !matches!(url.scheme(), "postgres" | "postgresql") {
                return Err(AddressError::Scheme(url.scheme().to_owned()));
            }
            hosts.push(url);
        }
        let wanted = take_target(&mut hosts)?;
        Ok(Self { hosts, wanted })
    }

    /// Of another database.
    #[must_use]
    pub fn with_database(mut self, name: &str) -> Self {
        for url in &mut self.hosts {
            url.set_path(name);
        }
        self
    }

    /// The database that it names, if it does.
    #[must_use]
    pub fn database(&self) -> Option<&str> {
        let path = self.hosts.first()?.path().trim_start_matches('/');
        (!path.is_empty()).then_some(path)
    }

    /// As another user.
    #[must_use]
    pub fn with_user(mut self, name: &str, password: &str) -> Self {
        for url in &mut self.hosts {
            // A URL without a host has no place for a user, and stays as it is.
            if url.set_username(name).is_ok() && url.set_password(Some(password)).is_err() {
                tracing::debug!("an address without a host has no password");
            }
        }
        self
    }

    /// As one text again, as [`Self::parse`] reads it.
    #[must_use]
    pub fn to_secret(&self) -> Secret {
        let [first, others @ ..] = self.hosts.as_slice() else {
            return Secret::default();
        };
        if others.is_empty() && self.wanted == Wanted::Any {
            return Secret::new(first.to_string());
        }
        let mut first = first.clone();
        if self.wanted == Wanted::Primary {
            first.query_pairs_mut().append_pair(TARGET, "read-write");
        }
        let first = first.to_string();
        let (before, host, after) = split(&first);
        let others = others.iter().map(|url| {
            let url = url.to_string();
            split(&url).1.to_owned()
        });
        let hosts: Vec<String> = std::iter::once(host.to_owned()).chain(others).collect();
        Secret::new(format!("{before}{}{after}", hosts.join(",")))
    }

    /// A URL for each host.
    pub(super) fn hosts(&self) -> &[Url] {
        &self.hosts
    }

    /// Which of them serves.
    pub(super) const fn wanted(&self) -> Wanted {
        self.wanted
    }
}

/// Without the password.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = self.hosts.iter().map(|url| (url.host_str(), url.port()));
        f.debug_list().entries(hosts).finish()
    }
}

/// What stands before the hosts, the hosts, and what stands behind them.
fn split(text: &str) -> (&str, &str, &str) {
    let start = text.find("://").map_or(0, |at| at + 3);
    let end = text[start..]
        .find(['/', '?', '#'])
        .map_or(text.len(), |at| start + at);
    let start = text[start..end]
        .rfind('@')
        .map_or(start, |at| start + at + 1);
    (&text[..start], &text[start..end], &text[end..])
}

/// Takes `target_session_attrs` out of the URLs, which have the same parameters: nobody below knows it.
fn take_target(hosts: &mut [Url]) -> Result<Wanted, AddressError> {
    let several = hosts.len() > 1;
    let pairs: Vec<(String, String)> = match hosts.first() {
        Some(url) => url.query_pairs().into_owned().collect(),
        None => Vec::new(),
    };
    let mut wanted = if several {
        Wanted::Primary
    } else {
        Wanted::Any
    };
    for (name, value) in &pairs {
        match (name.as_str(), value.as_str()) {
            ("host" | "hostaddr" | "port", _) if several || value.contains(',') => {
                return Err(AddressError::HostParameter(name.clone()));
            }
            (TARGET, "read-write" | "primary") => wanted = Wanted::Primary,
            (TARGET, "any") if several => return Err(AddressError::AnyOfSeveral),
            (TARGET, "any") => wanted = Wanted::Any,
            (TARGET, other) => return Err(AddressError::Target(other.to_owned())),
            _ => {}
        }
    }
    if pairs.iter().any(|(name, _)| name == TARGET) {
        let kept: Vec<_> = pairs.iter().filter(|(name, _)| name != TARGET).collect();
        for url in hosts {
            url.set_query(None);
            if !kept.is_empty() {
                url.query_pairs_mut().extend_pairs(kept.iter().copied());
            }
        }
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(text: &str) -> Vec<String> {
        let address = Address::parse(text).unwrap();
        address.hosts().iter().map(Url::to_string).collect()
    }

    #[test]
    fn a_list_of_hosts_is_a_url_for_each() {
        let text = "postgres://u:p%2Cw@one:5432,[::1]:5433,three/db?sslmode=require&target_session_attrs=read-write";
        let each = [
            "postgres://u:p%2Cw@one:5432/db?sslmode=require",
            "postgres://u:p%2Cw@[::1]:5433/db?sslmode=require",
            "postgres://u:p%2Cw@three/db?sslmode=require",
        ];
        assert_eq!(urls(text), each);
        // What stays the same keeps its text, and what was read is written as it was.
        assert_eq!(urls("postgres://u@h/?a=b%20c"), ["postgres://u@h/?a=b%20c"]);
        assert_eq!(Address::parse(text).unwrap().to_secret().expose(), text);
    }

    #[test]
    fn several_hosts_want_the_primary_and_one_wants_what_it_says() {
        for (text, wanted) in [
            ("postgres://h:1/", Wanted::Any),
            ("postgres://h:1/?target_session_attrs=any", Wanted::Any),
            (
                "postgres://h:1/?target_session_attrs=primary",
                Wanted::Primary,
            ),
            (
                "postgresql://h:1/?target_session_attrs=read-write",
                Wanted::Primary,
            ),
            ("postgres://h:1,i:2/", Wanted::Primary),
            (
                "postgres://h:1,i:2/?target_session_attrs=read-write",
                Wanted::Primary,
            ),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!(address.wanted(), wanted, "{text}");
            let again = Address::parse(address.to_secret().expose()).unwrap();
            assert_eq!(again.wanted(), wanted, "{text} again");
        }
    }

    #[test]
    fn database_and_user_are_those_of_each_host() {
        let address = Address::parse("postgres://a:b@h:1,i:2").unwrap();
        assert_eq!(address.database(), None);
        let address = address.with_database("loms").with_user("loms", "s,@/");
        assert_eq!(address.database(), Some("loms"));
        let text = "postgres://loms:s%2C%40%2F@h:1,i:2/loms?target_session_attrs=read-write";
        // `,` needs no escape in a password, which ends at the last `@`.
        assert_eq!(address.to_secret().expose().replace("s,", "s%2C"), text);
        assert!(!format!("{address:?}").contains("s,"));
    }

    #[test]
    fn what_is_no_address_is_refused_by_its_reason() {
        for (text, reason) in [
            ("hidden", "it is not a valid URL"),
            ("mysql://u:hidden@h/", "its scheme is mysql"),
            ("mysql://u:hidden@h,i/", "its scheme is mysql"),
            ("postgres://u:hidden@h:1,/", "a host of the list is empty"),
            ("postgres://u:hidden@,h:1/", "a host of the list is empty"),
            ("postgres://u:hidden@h:1,,i/", "a host of the list is empty"),
            ("postgres://u:hidden@h:70000,i/", "it is not a valid URL"),
            ("postgres://u:hidden@h,i:x/", "it is not a valid URL"),
            ("postgres://u:hidden@h/?host=h,i", "parameter host"),
            ("postgres://u:hidden@h,i/?port=1", "parameter port"),
            (
                "postgres://hidden@h/?target_session_attrs=standby",
                "=standby is none of any, read-write",
            ),
            (
                "postgres://hidden@h,i/?target_session_attrs=prefer-standby",
                "=prefer-standby is none",
            ),
            (
                "postgres://hidden@h,i/?target_session_attrs=any",
                "may end at a standby",
            ),
        ] {
            let error = Address::parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
            assert!(!error.contains("hidden"), "{error}");
        }
    }
}
