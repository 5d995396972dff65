//! Every setting of every process in one tree, and the rules of the profiles.
//!
//! A service reads its own branch; what two services must agree on (ports that one listens on and another calls) is
//! made to agree here, once. Start reading at [`Settings`].

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use chassis::config::{self, Secret, Sources};
use chassis::{kafka, postgres, telemetry};
use serde::{Deserialize, Serialize};

use crate::cli::Common;

/// Every setting of every process.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Which rules apply.
    pub profile: Profile,
    /// The folder for data, logs and keys.
    pub state_dir: PathBuf,
    /// What `up` starts.
    pub up: Up,
    /// Keys of tokens.
    pub keys: Keys,
    /// The Postgres server that all services share; each has a database of its own there.
    pub postgres: postgres::Config,
    /// The brokers and the topic of order events.
    pub kafka: kafka::Config,
    /// Logs, metrics and traces.
    pub telemetry: telemetry::Config,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// A developer's machine: a built-in issuer of tokens, keys made on the first start.
    Demo,
    /// Other people's data: refuses the demo issuer and every default secret.
    Production,
}

/// What `up` starts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Up {
    /// Port of the private Postgres.
    pub postgres_port: u16,
    /// Port of the private Kafka.
    pub kafka_port: u16,
    /// How long the services may take to be ready.
    #[serde(with = "humantime_serde")]
    pub ready_timeout: std::time::Duration,
}

/// Keys of tokens.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keys {
    /// A JWKS file with the public keys of the issuer whose tokens are believed; needed in production.
    pub jwks: Option<PathBuf>,
    /// The router's private key, with which it signs its own short-lived tokens; made when missing.
    pub router: Option<PathBuf>,
    /// Whether the built-in issuer of the demo hands out tokens.
    pub demo_issuer_enabled: Option<bool>,
}

/// Where subgraphs listen when each is a process of its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Subgraphs {
    /// The cart subgraph.
    pub cart_listen: SocketAddr,
    /// The order subgraph.
    pub loms_listen: SocketAddr,
    /// The comments subgraph.
    pub comments_listen: SocketAddr,
}

/// A port that some process listens on.
#[derive(Debug, Clone)]
pub struct Listener {
    /// What is there.
    pub what: &'static str,
    /// The setting that moves it.
    pub setting: &'static str,
    /// Where.
    pub address: SocketAddr,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            profile: Profile::Demo,
            state_dir: PathBuf::from(".marketplace"),
            up: Up::default(),
            keys: Keys::default(),
            postgres: postgres::Config::default(),
            kafka: kafka::Config::default(),
            telemetry: telemetry::Config::default(),
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
            postgres_port: 5433,
            kafka_port: 9092,
            ready_timeout,
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
        let mut sources = Sources::default();
        sources.file = common.config.clone();
        for (name, value) in flags(common)? {
            sources = sources.flag(name, value);
        }
        let mut settings: Self = config::load(sources)?;
        if let Some(offset) = common.port_offset {
            settings.shift_ports(offset)?;
        }
        settings.agree();
        settings.check_profile()?;
        Ok(settings)
    }

    /// Whether the built-in issuer hands out tokens.
    #[must_use]
    pub fn demo_issuer_enabled(&self) -> bool {
        self.keys
            .demo_issuer_enabled
            .unwrap_or(self.profile == Profile::Demo)
    }

    /// The ports of one process that runs everything; `separate` adds those between processes.
    #[must_use]
    pub fn listeners(&self, separate: bool) -> Vec<Listener> {
        let mut listeners = vec![
            listener(
                "GraphQL and the playground",
                "router.listen",
                self.router.listen,
            ),
            listener(
                "the admin port",
                "router.admin_listen",
                self.router.admin_listen,
            ),
            listener(
                "cart REST",
                "router.rest.cart_listen",
                self.router.rest.cart_listen,
            ),
            listener(
                "the order gateway",
                "router.rest.loms_listen",
                self.router.rest.loms_listen,
            ),
            listener(
                "the old order gateway",
                "router.rest.loms_old_listen",
                self.router.rest.loms_old_listen,
            ),
            listener(
                "the comments gateway",
                "router.rest.comments_listen",
                self.router.rest.comments_listen,
            ),
            listener("the product service", "product.listen", self.product.listen),
            listener("order gRPC", "loms.grpc_listen", self.loms.grpc_listen),
            listener(
                "comments gRPC",
                "comments.grpc_listen",
                self.comments.grpc_listen,
            ),
        ];
        if separate {
            listeners.extend([
                listener(
                    "the cart subgraph",
                    "subgraphs.cart_listen",
                    self.subgraphs.cart_listen,
                ),
                listener(
                    "the order subgraph",
                    "subgraphs.loms_listen",
                    self.subgraphs.loms_listen,
                ),
                listener(
                    "the comments subgraph",
                    "subgraphs.comments_listen",
                    self.subgraphs.comments_listen,
                ),
            ]);
        }
        listeners
    }

    fn shift_ports(&mut self, offset: u16) -> Result<(), Refused> {
        let rest = &mut self.router.rest;
        let addresses = [
            ("router.listen", &mut self.router.listen),
            ("router.admin_listen", &mut self.router.admin_listen),
            ("router.rest.cart_listen", &mut rest.cart_listen),
            ("router.rest.loms_listen", &mut rest.loms_listen),
            ("router.rest.loms_old_listen", &mut rest.loms_old_listen),
            ("router.rest.comments_listen", &mut rest.comments_listen),
            ("product.listen", &mut self.product.listen),
            ("loms.grpc_listen", &mut self.loms.grpc_listen),
            ("comments.grpc_listen", &mut self.comments.grpc_listen),
            ("subgraphs.cart_listen", &mut self.subgraphs.cart_listen),
            ("subgraphs.loms_listen", &mut self.subgraphs.loms_listen),
            (
                "subgraphs.comments_listen",
                &mut self.subgraphs.comments_listen,
            ),
        ];
        for (setting, address) in addresses {
            address.set_port(shifted(address.port(), offset, setting)?);
        }
        self.up.postgres_port = shifted(self.up.postgres_port, offset, "up.postgres_port")?;
        self.up.kafka_port = shifted(self.up.kafka_port, offset, "up.kafka_port")?;
        Ok(())
    }

    /// Where a client's address still has its default, makes it follow the listener it means.
    fn agree(&mut self) {
        let plain = Self::default();
        if self.cart.loms_url == plain.cart.loms_url {
            self.cart.loms_url = url(self.loms.grpc_listen, "");
        }
        if self.cart.product_url == plain.cart.product_url {
            self.cart.product_url = url(self.product.listen, "");
        }
        let listens = [
            ("cart", self.subgraphs.cart_listen),
            ("loms", self.subgraphs.loms_listen),
            ("comments", self.subgraphs.comments_listen),
        ];
        for (name, listen) in listens {
            let default = plain.router.subgraph_urls.get(name);
            if self.router.subgraph_urls.get(name) == default {
                self.router
                    .subgraph_urls
                    .insert(name.to_owned(), url(listen, "/graphql"));
            }
        }
    }

    fn check_profile(&self) -> Result<(), Refused> {
        if self.profile == Profile::Demo {
            return Ok(());
        }
        let refuse = |what, fix| Err(Refused::Production { what, fix });
        let plain = Self::default();
        if self.demo_issuer_enabled() {
            return refuse(
                "the demo issuer",
                "leave keys.demo_issuer_enabled unset or false",
            );
        }
        if self.keys.jwks.is_none() {
            return refuse(
                "to run without an issuer's keys",
                "set keys.jwks to a JWKS file",
            );
        }
        if is_default(&self.cart.product_key, &plain.cart.product_key) {
            return refuse(
                "the default product key",
                "set cart.product_key and product.key",
            );
        }
        if self.product.faults.enabled {
            return refuse(
                "wrong answers on purpose",
                "leave product.faults.enabled unset or false",
            );
        }
        if is_default(&self.postgres.url, &plain.postgres.url) {
            return refuse(
                "the default Postgres address and password",
                "set postgres.url",
            );
        }
        Ok(())
    }
}

/// Whether this setting has been given by nobody.
pub(crate) fn is_default(secret: &Secret, default: &Secret) -> bool {
    secret.expose() == default.expose()
}

fn flags(common: &Common) -> Result<Vec<(String, String)>, Refused> {
    let mut flags = Vec::new();
    for set in &common.set {
        let (name, value) = set
            .split_once('=')
            .ok_or_else(|| Refused::Set(set.clone()))?;
        flags.push((name.to_owned(), value.to_owned()));
    }
    if let Some(dir) = &common.state_dir {
        flags.push(("state_dir".into(), dir.display().to_string()));
    }
    if let Some(port) = common.kafka_port {
        flags.push(("up.kafka_port".into(), port.to_string()));
    }
    if let Some(port) = common.postgres_port {
        flags.push(("up.postgres_port".into(), port.to_string()));
    }
    Ok(flags)
}

fn listener(what: &'static str, setting: &'static str, address: SocketAddr) -> Listener {
    Listener {
        what,
        setting,
        address,
    }
}

/// Port 0 stays 0: the system chooses.
fn shifted(port: u16, offset: u16, setting: &'static str) -> Result<u16, Refused> {
    match port {
        0 => Ok(0),
        port => port
            .checked_add(offset)
            .ok_or(Refused::Offset { offset, setting }),
    }
}

/// The address a client on this machine uses for a listener.
fn url(listen: SocketAddr, path: &str) -> String {
    let host = if listen.ip().is_unspecified() {
        "127.0.0.1".to_owned()
    } else {
        listen.ip().to_string()
    };
    format!("http://{host}:{}{path}", listen.port())
}
