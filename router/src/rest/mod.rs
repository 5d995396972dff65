//! The compatibility shim: existing REST clients on their old ports, in front of the same graph as everybody else.
//!
//! It translates names, statuses and JSON forms and knows no rule of the shop: each call becomes one operation of its
//! own (`graph.rs`), run for the user that the call names (`credential.rs`). Because the shim believes that user, it
//! listens on loopback only, unless a setting that says so is on. Start reading at [`start`], then `cart.rs`,
//! `loms.rs` and `comments.rs`; all statuses are in `error.rs`. Source: docs/contracts.md.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use chassis::{clock::Clock, health::Health, listen, principal::Signer, tasks::Tasks};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::{credential::Credentials, graph::Graph};
use crate::engine::Engine;

mod cart;
mod comments;
mod credential;
mod error;
mod gateway;
mod graph;
mod json;
mod loms;
mod openapi;
mod profile;
mod surface;
#[cfg(test)]
mod tests;

/// The OpenAPI document of the gateway of `service`, `loms` or `comments`, as it is served. Pretty JSON with a line end.
#[must_use]
pub fn openapi(service: &str) -> Option<String> {
    let document = match service {
        "loms" => openapi::document(loms::TITLE, loms::ROUTES),
        "comments" => openapi::document(comments::TITLE, comments::ROUTES),
        _ => return None,
    };
    Some(format!("{document:#}\n"))
}

/// Where the shim listens, and which of the older forms it writes. Source: docs/contracts.md §9.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Serves the old surfaces at all.
    pub enabled: bool,
    /// Cart: `/user/{id}/cart`, `/checkout/{id}`, `/metrics`, `/debug/pprof/`.
    pub cart_listen: SocketAddr,
    /// The LOMS gateway and its Swagger UI at `/docs`.
    pub loms_listen: SocketAddr,
    /// The LOMS gateway again, on the port of the oldest clients.
    pub loms_old_listen: SocketAddr,
    /// The comments gateway.
    pub comments_listen: SocketAddr,
    /// Allows listeners that other machines reach. They may then act as any user: there is no token.
    pub off_loopback_enabled: bool,
    /// How long the graph may take for one call.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub request_timeout: Duration,
    /// How a gateway answers a wrong method.
    pub wrong_method: WrongMethod,
    /// How a paid order is called.
    pub paid_status: PaidStatus,
    /// Under which key an order names its user.
    pub order_user_key: UserKey,
    /// Under which keys a checkout names its order.
    pub checkout_key: CheckoutKey,
    /// In which case comments are written.
    pub comments_key_case: KeyCase,
}

/// A gateway's answer to a known path with another method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum WrongMethod {
    /// 501, as grpc-gateway answers.
    #[default]
    #[serde(rename = "501")]
    NotImplemented,
    /// 405, as HTTP has it.
    #[serde(rename = "405")]
    MethodNotAllowed,
}

/// The spelling of the status of a paid order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaidStatus {
    /// The newest spelling.
    #[default]
    Paid,
    /// The older spelling.
    Payed,
}

impl PaidStatus {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Payed => "payed",
        }
    }
}

/// The key of an order's user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum UserKey {
    /// `userId`.
    #[default]
    #[serde(rename = "userId")]
    UserId,
    /// `user`, as older clients read it.
    #[serde(rename = "user")]
    User,
    /// Both.
    #[serde(rename = "both")]
    Both,
}

/// The keys of a checkout's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckoutKey {
    /// `order_id`.
    #[default]
    OrderId,
    /// `order_id` and `orderID`.
    Both,
}

/// The case of the keys of comments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyCase {
    /// `userId`, `createdAt`.
    #[default]
    Camel,
    /// `user_id`, `created_at`.
    Snake,
    /// Each key twice.
    Both,
}

impl Default for Config {
    fn default() -> Self {
        let local = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            enabled: true,
            cart_listen: local(8080),
            loms_listen: local(8084),
            loms_old_listen: local(8081),
            comments_listen: local(8086),
            off_loopback_enabled: false,
            request_timeout: Duration::from_secs(30),
            wrong_method: WrongMethod::default(),
            paid_status: PaidStatus::default(),
            order_user_key: UserKey::default(),
            checkout_key: CheckoutKey::default(),
            comments_key_case: KeyCase::default(),
        }
    }
}

/// Where the surfaces listen, once they do.
#[derive(Debug, Clone, Copy)]
pub struct Listening {
    /// Cart.
    pub cart: SocketAddr,
    /// The LOMS gateway.
    pub loms: SocketAddr,
    /// The LOMS gateway on the older port.
    pub loms_old: SocketAddr,
    /// The comments gateway.
    pub comments: SocketAddr,
}

/// Why the shim cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener would be open to other machines without the setting that says so.
    #[error(
        "{setting} is {address}, which other machines reach, and REST calls carry no token: \
         listen on 127.0.0.1, or set router.rest.off_loopback_enabled = true"
    )]
    OffLoopback {
        /// The setting that moves the listener.
        setting: &'static str,
        /// Where it would listen.
        address: SocketAddr,
    },
    /// An address cannot be bound.
    #[error(transparent)]
    Listen(#[from] listen::Error),
    /// The system does not tell an address that it has just bound.
    #[error("local address: {0}")]
    Address(#[from] std::io::Error),
}

/// What all surfaces share.
struct Shim {
    graph: Graph,
    options: Config,
}

/// Starts the listeners; nothing when the shim is switched off.
///
/// # Errors
/// [`StartError`] when a listener may not be opened or cannot be.
pub async fn start(
    config: Config,
    engine: Arc<Engine>,
    signer: Arc<Signer>,
    clock: Clock,
    (tasks, health): (&Tasks, &Health),
) -> Result<Option<Listening>, StartError> {
    if !config.enabled {
        return Ok(None);
    }
    let listeners = [
        ("router.rest.cart_listen", config.cart_listen),
        ("router.rest.loms_listen", config.loms_listen),
        ("router.rest.loms_old_listen", config.loms_old_listen),
        ("router.rest.comments_listen", config.comments_listen),
    ];
    for (setting, address) in listeners {
        check_reach(setting, address, config.off_loopback_enabled)?;
    }
    let credentials = Credentials::new(signer, clock);
    let graph = Graph::new(engine, credentials, config.request_timeout);
    let shim = Arc::new(Shim {
        graph,
        options: config,
    });
    let serve = async |name, (setting, address), routes| -> Result<SocketAddr, StartError> {
        let listener = listen::bind(address, setting).await?;
        let bound = listener.local_addr()?;
        listen::serve(name, listener, routes, tasks, health);
        Ok(bound)
    };
    let [cart, loms, loms_old, comments] = listeners;
    Ok(Some(Listening {
        cart: serve("rest-cart", cart, cart::routes(&shim)).await?,
        loms: serve("rest-loms", loms, loms::routes(&shim)).await?,
        loms_old: serve("rest-loms-old", loms_old, loms::routes(&shim)).await?,
        comments: serve("rest-comments", comments, comments::routes(&shim)).await?,
    }))
}

/// Refuses, or warns of, a listener that other machines reach.
fn check_reach(
    setting: &'static str,
    address: SocketAddr,
    off_loopback_enabled: bool,
) -> Result<(), StartError> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    if !off_loopback_enabled {
        return Err(StartError::OffLoopback { setting, address });
    }
    tracing::warn!(setting, %address, "whoever reaches this listener may act as any user: rest calls carry no token");
    Ok(())
}

#[cfg(test)]
mod reach_tests {
    use super::*;

    /// docs/contracts.md, "REST calls carry no token". Seen red with the check left out.
    #[test]
    fn a_listener_off_loopback_needs_its_setting() {
        let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080));
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
        assert!(check_reach("router.rest.cart_listen", here, false).is_ok());
        assert!(check_reach("router.rest.cart_listen", everywhere, true).is_ok());
        let error = check_reach("router.rest.cart_listen", everywhere, false).unwrap_err();
        assert!(
            error.to_string().contains("off_loopback_enabled"),
            "{error}"
        );
    }
}
