//! Every setting of every process in one tree, and the rules of the profiles.
//!
//! A service reads its own branch; what two services must agree on (ports that one listens on and another calls) is
//! made to agree here, once. Start reading at [`Settings`].

pub(crate) mod broker;
mod ports;
mod profile;
mod reach;
mod roles;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use chassis::config::{self, Loaded, Origin, Secret, Sources};
use chassis::principal::{Issuer, KeySet};
use chassis::{kafka, listen, postgres, telemetry};
use clap::ValueEnum;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

pub use self::{broker::Broker, ports::Listener, profile::Refusal, roles::DatabaseRoles};
use crate::cli::{Common, Switch};

/// Every setting of every process.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Which rules apply.
    pub profile: Profile,
    /// The folder for data, logs and keys.
    pub state_dir: PathBuf,
    /// How long a process that was asked to stop reports "not ready" before it stops listening, so that a load balancer
    /// notices in time; `up` in one process does not wait, and `up --processes` ends children after 4.3 s.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::MayBeZero")]
    pub drain_notice: std::time::Duration,
    /// What `up` starts.
    pub up: Up,
    /// Keys of tokens.
    pub keys: Keys,
    /// The Postgres server that all services share; each has a database of its own there.
    pub postgres: postgres::Config,
    /// Passwords of the services' roles in Postgres.
    pub database_roles: DatabaseRoles,
    /// The brokers and the topic of order events.
    pub kafka: kafka::Config,
    /// Logs, metrics and traces.
    pub telemetry: telemetry::Config,
    /// Bounds of the connections of every listener.
    pub connections: listen::Config,
    /// Where separate subgraphs listen.
    pub subgraphs: Subgraphs,
    /// The router.
    pub router: router::Config,
    /// The cart service.
    pub cart: cart::Config,
    /// The order service.
    pub loms: loms::Config,
    /// The comments service.
    pub comments: comments::Config,
    /// The notifier.
    pub notifier: notifier::Config,
    /// The product service.
    pub product: product_service::Config,
}

/// Which rules apply to the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// A developer's machine: a built-in issuer of tokens, keys made on the first start.
    Demo,
    /// Other people's data: refuses the demo issuer and every default secret.
    Production,
}

/// What `up` starts.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Up {
    /// Which broker `up` starts when no other is named.
    pub broker: Broker,
    /// Port of the private Postgres.
    pub postgres_port: u16,
    /// Port of the private Kafka.
    pub kafka_port: u16,
    /// How long the services may take to be ready.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub ready_timeout: std::time::Duration,
    /// The longest pause before what died is started again; the first is 100 ms, and it doubles.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub restart_pause_max: std::time::Duration,
}

/// Keys of tokens.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Keys {
    /// A JWKS file with the public keys of the issuer whose tokens are believed; this or `keys.jwks_url` is needed in
    /// production. A key that is added is found when a token names it.
    pub jwks: Option<PathBuf>,
    /// Where that issuer serves its public keys: a JWKS document of at most 64 KiB and 32 keys, over HTTPS or on loopback.
    pub jwks_url: Option<String>,
    /// How long fetched keys are believed before they are fetched again. A token with an unknown key makes them be fetched
    /// at once, but not more often than every 5 s; what cannot be fetched stays as it was.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub jwks_ttl: std::time::Duration,
    /// The claim `iss` of that issuer's tokens.
    pub issuer: String,
    /// What the claim `aud` of that issuer's tokens contains when they are for this marketplace.
    pub audience: String,
    /// The claim of that issuer's tokens with the user's id: a whole number above 0.
    pub user_claim: String,
    /// The claim of that issuer's tokens with the scopes, as one text or as a list.
    pub scope_claim: String,
    /// The router's private key, with which it signs its own short-lived tokens; made when missing.
    pub router: Option<PathBuf>,
    /// A JWKS file with the router's public keys. Unset, the router puts its own into the state folder; between machines
    /// that share none it must be set.
    pub router_jwks: Option<PathBuf>,
    /// This service's own private key (Ed25519, PKCS#8 PEM), with which it proves itself to the others. Without one, a key is
    /// made at each start and its public half put into `keys.services_dir`.
    pub service: Option<PathBuf>,
    /// The folder with the public keys of all services, `SERVICE.KEY-ID.jwk` each; whoever can write there is a service.
    /// `keys/services` in the state folder unless set.
    pub services_dir: Option<PathBuf>,
    /// Whether the built-in issuer of the demo hands out tokens.
    pub demo_issuer_enabled: Option<bool>,
    /// Lets the demo's issuer run where other machines reach it. They then get tokens for any user.
    pub demo_issuer_beyond_loopback_enabled: bool,
}

/// Where subgraphs listen when each is a process of its own.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Subgraphs {
    /// The cart subgraph.
    pub cart_listen: SocketAddr,
    /// The order subgraph.
    pub loms_listen: SocketAddr,
    /// The comments subgraph.
    pub comments_listen: SocketAddr,
    /// Requests that one of them works on at once; more are refused with `OVERLOADED`.
    #[schemars(range(min = 1))]
    pub calls: usize,
}

impl Keys {
    /// The issuer that the settings describe, with these keys.
    pub(crate) fn issuer(&self, keys: KeySet) -> Issuer {
        Issuer {
            name: self.issuer.clone(),
            audience: self.audience.clone(),
            user_claim: self.user_claim.clone(),
            scope_claim: self.scope_claim.clone(),
            keys,
        }
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            jwks: None,
            jwks_url: None,
            jwks_ttl: std::time::Duration::from_mins(5),
            issuer: "marketplace".to_owned(),
            audience: "marketplace".to_owned(),
            user_claim: "sub".to_owned(),
            scope_claim: "scope".to_owned(),
            router: None,
            router_jwks: None,
            service: None,
            services_dir: None,
            demo_issuer_enabled: None,
            demo_issuer_beyond_loopback_enabled: false,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            profile: Profile::Demo,
            state_dir: PathBuf::from(".marketplace"),
            drain_notice: std::time::Duration::from_millis(300),
            up: Up::default(),
            keys: Keys::default(),
            postgres: postgres::Config::default(),
            database_roles: DatabaseRoles::default(),
            kafka: kafka::Config::default(),
            telemetry: telemetry::Config::default(),
            connections: listen::Config::default(),
            subgraphs: Subgraphs::default(),
            router: router::Config::default(),
            cart: cart::Config::default(),
            loms: loms::Config::default(),
            comments: comments::Config::default(),
            notifier: notifier::Config::default(),
            product: product_service::Config::default(),
        }
    }
}

impl Default for Up {
    fn default() -> Self {
        let ready_timeout = std::time::Duration::from_mins(1);
        Self {
            broker: Broker::Kafka,
            postgres_port: 5433,
            kafka_port: 9092,
            ready_timeout,
            restart_pause_max: std::time::Duration::from_secs(5),
        }
    }
}

impl Default for Subgraphs {
    fn default() -> Self {
        let local = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            cart_listen: local(4101),
            loms_listen: local(4102),
            comments_listen: local(4103),
            calls: 512,
        }
    }
}

/// Why the settings are refused.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// A file, variable or flag is wrong.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// `--set` without a name or a value.
    #[error("--set {0} is not NAME=VALUE")]
    Set(String),
    /// The offset moves a port beyond 65535.
    #[error("--port-offset {offset} moves {setting} beyond port 65535")]
    Offset {
        /// The offset.
        offset: u16,
        /// The setting that has no room.
        setting: &'static str,
    },
    /// Other machines would reach what believes them.
    #[error("`{setting}` is {address}, where {what}: {fix}")]
    Reach {
        /// The setting of the address.
        setting: &'static str,
        /// The address.
        address: SocketAddr,
        /// What they could do there.
        what: &'static str,
        /// What to set.
        fix: &'static str,
    },
    /// The profile forbids it.
    #[error("profile \"production\" refuses {what}; {fix}")]
    Production {
        /// What is refused.
        what: &'static str,
        /// What to set.
        fix: &'static str,
    },
}

impl Settings {
    /// Loads the settings: defaults, the file, the environment, flags.
    ///
    /// # Errors
    /// [`Refused`] names the setting and where the wrong value came from.
    pub fn load(common: &Common) -> Result<Self, Refused> {
        Ok(Self::load_with_origins(common)?.settings)
    }

    /// Loads the settings with the origin of each. The origin of a setting that follows another one names it.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn load_with_origins(common: &Common) -> Result<Loaded<Self>, Refused> {
        let mut sources = Sources::default();
        sources.file.clone_from(&common.config);
        for (name, value, typed) in flags(common)? {
            sources = sources.flag(name, value, typed);
        }
        let mut loaded = config::load::<Self>(sources)?;
        if let Some(offset) = common.port_offset {
            for setting in loaded.settings.shift_ports(offset)? {
                let origin = Origin::Follows(format!("--port-offset {offset}"));
                loaded.set_origin(setting, origin);
            }
        }
        for (setting, listener) in loaded.settings.agree() {
            loaded.set_origin(&setting, Origin::Follows(listener.to_owned()));
        }
        check_postgres(&loaded)?;
        check_jwks_url(&loaded)?;
        profile::switch_off(&mut loaded);
        loaded.settings.check_profile()?;
        loaded.settings.check_reach()?;
        Ok(loaded)
    }

    /// Whether the built-in issuer hands out tokens.
    #[must_use]
    pub fn demo_issuer_enabled(&self) -> bool {
        self.keys
            .demo_issuer_enabled
            .unwrap_or(self.profile == Profile::Demo)
    }
}

/// Whether nobody has set this secret.
pub(crate) fn is_default(secret: &Secret, default: &Secret) -> bool {
    secret.expose() == default.expose()
}

/// Refuses an invalid address of Postgres without showing it, because it may contain a password.
fn check_postgres(loaded: &Loaded<Settings>) -> Result<(), Refused> {
    let reason = match Url::parse(loaded.settings.postgres.url.expose()) {
        _ if loaded.settings.postgres.url.is_empty() => return Ok(()),
        Ok(url) if !matches!(url.scheme(), "postgres" | "postgresql") => {
            format!("its scheme is {}", url.scheme())
        }
        Ok(_) => return Ok(()),
        Err(error) => format!("it is not a valid URL ({error})"),
    };
    Err(Refused::Config(config::Error::Value {
        setting: "postgres.url".into(),
        value: "***".into(),
        origin: Box::new(loaded.origin("postgres.url")),
        reason,
        expected: "postgres://USER:PASSWORD@HOST:5432/".into(),
    }))
}

/// Refuses keys that somebody between us and the issuer could replace.
fn check_jwks_url(loaded: &Loaded<Settings>) -> Result<(), Refused> {
    let Some(url) = &loaded.settings.keys.jwks_url else {
        return Ok(());
    };
    let reason = match Url::parse(url) {
        Ok(url) if url.scheme() == "https" || (url.scheme() == "http" && is_local(&url)) => {
            return Ok(());
        }
        Ok(_) => "keys that come unencrypted from another machine may be anybody's".to_owned(),
        Err(error) => format!("it is not a valid URL ({error})"),
    };
    Err(Refused::Config(config::Error::Value {
        setting: "keys.jwks_url".into(),
        value: config::mask_urls(url).into_owned(),
        origin: Box::new(loaded.origin("keys.jwks_url")),
        reason,
        expected: "https://HOST/PATH, or http:// on loopback".into(),
    }))
}

fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Path, value and the flag as it was typed.
type Flag = (String, String, String);

fn flags(common: &Common) -> Result<Vec<Flag>, Refused> {
    let mut flags = Vec::new();
    for set in &common.set {
        let (name, value) = set
            .split_once('=')
            .ok_or_else(|| Refused::Set(set.clone()))?;
        flags.push((name.to_owned(), value.to_owned(), format!("--set {name}")));
    }
    let mut named = |flag: &str, path: &str, value: Option<String>| {
        flags.extend(value.map(|value| (path.to_owned(), value, flag.to_owned())));
    };
    let dir = common.state_dir.as_ref();
    named(
        "--state-dir",
        "state_dir",
        dir.map(|dir| dir.display().to_string()),
    );
    let broker = common.broker.and_then(|broker| broker.to_possible_value());
    named(
        "--broker",
        "up.broker",
        broker.map(|broker| broker.get_name().to_owned()),
    );
    let switch = common.group_commit.map(|it| it == Switch::On);
    named(
        "--group-commit",
        "loms.group_commit",
        switch.map(|is_on| is_on.to_string()),
    );
    let port = |port: Option<u16>| port.map(|port| port.to_string());
    named("--kafka-port", "up.kafka_port", port(common.kafka_port));
    named(
        "--postgres-port",
        "up.postgres_port",
        port(common.postgres_port),
    );
    Ok(flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_switch_of_group_commit_is_the_setting() {
        let grouped = |switch| {
            let common = Common {
                group_commit: switch,
                ..Common::default()
            };
            Settings::load(&common).unwrap().loms.group_commit
        };
        assert!(grouped(None) && grouped(Some(Switch::On)));
        assert!(!grouped(Some(Switch::Off)));
    }

    fn refusal(set: &str) -> String {
        let common = Common {
            set: vec![set.into()],
            ..Common::default()
        };
        Settings::load(&common).unwrap_err().to_string()
    }

    #[test]
    fn a_wrong_address_of_postgres_is_refused_without_being_shown() {
        for (url, reason) in [
            ("hidden", "it is not a valid URL"),
            ("mysql://u:hidden@h/", "its scheme is mysql"),
        ] {
            let text = refusal(&format!("postgres.url={url}"));
            for part in [reason, "flag --set postgres.url", "postgres://USER"] {
                assert!(text.contains(part), "{part}: {text}");
            }
            assert!(!text.contains("hidden"), "{text}");
        }
    }

    /// Fails with every scheme and every host taken.
    #[test]
    fn keys_come_over_an_address_that_nobody_between_can_change() {
        for good in [
            "https://id.example/keys",
            "http://127.0.0.1:9/keys",
            "http://[::1]/keys",
            "http://localhost/keys",
        ] {
            let common = Common {
                set: vec![format!("keys.jwks_url={good}")],
                ..Common::default()
            };
            assert!(Settings::load(&common).is_ok(), "{good}");
        }
        for bad in [
            "http://id.example/keys",
            "http://10.0.0.1/keys",
            "http://127.0.0.1.evil.example/keys",
            "http://localhost.evil.example/keys",
            "http://u:hidden@id.example/keys",
            "file:///etc/keys",
            "id.example/keys",
        ] {
            let text = refusal(&format!("keys.jwks_url={bad}"));
            assert!(text.contains("https://HOST"), "{text}");
            assert!(!text.contains("hidden"), "{text}");
        }
    }

    #[test]
    fn a_flag_without_a_value_is_named() {
        let common = Common {
            set: vec!["router.listen".into()],
            ..Common::default()
        };
        let refused = Settings::load(&common).unwrap_err();
        assert_eq!(refused.to_string(), "--set router.listen is not NAME=VALUE");
    }
}
