//! Every setting of every process in one tree, and the rules of the profiles.
//!
//! A service reads its own branch; what two services must agree on (ports that one listens on and another calls) is
//! made to agree here, once. Start reading at [`Settings`].

pub(crate) mod broker;
mod copies;
mod flags;
mod keys;
mod ports;
mod profile;
mod reach;
mod roles;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use chassis::config::{self, Loaded, Origin, Secret, Sources};
use chassis::postgres::{self, Address};
use chassis::{kafka, listen, telemetry};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::{
    broker::Broker, keys::Keys, ports::Listener, profile::Refusal, roles::DatabaseRoles,
};
use crate::cli::Common;

/// Memory for what the console shows of late.
const RECENT_BYTES: usize = 8 * 1024 * 1024;

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
    /// The operators' console.
    pub console: ops_console::Config,
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
    /// Brokers that `up` starts when no other is named. With several, `kafka.replication_factor` is 3, or as many as there
    /// are, and `kafka.min_insync_replicas` one less, unless they are set; each takes 300 to 400 MB of memory.
    #[schemars(range(min = 1, max = 5))]
    pub brokers: u8,
    /// Port of the private Postgres.
    pub postgres_port: u16,
    /// Port of the private Kafka. Of several brokers the others' follow, and then those of their controllers.
    pub kafka_port: u16,
    /// How long the services may take to be ready.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub ready_timeout: std::time::Duration,
    /// What `/readyz` calls the processes of one start, by which `up` knows its own from others on their ports; `up` makes it.
    pub instance: String,
    /// The longest pause before what died is started again; the first is 100 ms, and it doubles.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub restart_pause_max: std::time::Duration,
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
            console: ops_console::Config::default(),
        }
    }
}

impl Default for Up {
    fn default() -> Self {
        let ready_timeout = std::time::Duration::from_mins(1);
        Self {
            broker: Broker::Kafka,
            brokers: 1,
            postgres_port: 5433,
            kafka_port: 9092,
            ready_timeout,
            instance: String::new(),
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
        for (name, value, typed) in flags::flags(common)? {
            sources = sources.flag(name, value, typed);
        }
        let mut loaded = config::load::<Self>(sources)?;
        if let Some(offset) = common.port_offset {
            // What somebody chose stays where it was put.
            let chosen: Vec<_> = Settings::port_settings()
                .filter(|setting| loaded.origin(setting) != Origin::Default)
                .collect();
            for setting in loaded.settings.shift_ports(offset, &chosen)? {
                let origin = Origin::Follows(format!("--port-offset {offset}"));
                loaded.set_origin(setting, origin);
            }
        }
        for (setting, listener) in loaded.settings.agree() {
            loaded.set_origin(&setting, Origin::Follows(listener.to_owned()));
        }
        copies::follow(&mut loaded);
        copies::check(&loaded)?;
        check_postgres(&loaded)?;
        keys::check(&loaded)?;
        profile::switch_off(&mut loaded);
        loaded.settings.check_profile(common.process)?;
        loaded.settings.check_reach()?;
        Ok(loaded)
    }

    /// Whether `up` serves the operators' console.
    #[must_use]
    pub fn console_enabled(&self) -> bool {
        self.console
            .enabled
            .unwrap_or(self.profile == Profile::Demo)
    }

    /// Has the traces and log lines of late kept for the console, unless somebody set how much of them is.
    pub(crate) fn keep_recent(&mut self) {
        if self.console_enabled() {
            self.telemetry.recent_bytes.get_or_insert(RECENT_BYTES);
        }
    }

    /// Whether the services reach a Postgres of `up`'s own over a relay that can be made slow.
    pub(crate) fn has_relay(&self) -> bool {
        self.profile == Profile::Demo
            && self.console_enabled()
            && self.console.postgres_relay_enabled
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
    if loaded.settings.postgres.url.is_empty() {
        return Ok(());
    }
    let Err(reason) = Address::parse(loaded.settings.postgres.url.expose()) else {
        return Ok(());
    };
    Err(Refused::Config(config::Error::Value {
        setting: "postgres.url".into(),
        value: "***".into(),
        origin: Box::new(loaded.origin("postgres.url")),
        reason: reason.to_string(),
        expected: "postgres://USER:PASSWORD@HOST:5432/, or several as in HOST1:5432,HOST2:5432"
            .into(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            (
                "postgres://u:hidden@h:1,,i:2/",
                "a host of the list is empty",
            ),
        ] {
            let text = refusal(&format!("postgres.url={url}"));
            for part in [reason, "flag --set postgres.url", "postgres://USER"] {
                assert!(text.contains(part), "{part}: {text}");
            }
            assert!(!text.contains("hidden"), "{text}");
        }
    }
}
