//! The shim's settings: its listeners, and which of the older forms it writes.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use chassis::budget;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the shim listens, and which of the older forms it writes. Source: docs/contracts.md §9.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Serves the REST listeners; in the profile `production` only when this is set.
    pub enabled: bool,
    /// Serves `/debug/pprof/profile`, which samples the process for up to a minute; in the profile `production` only when
    /// this is set.
    pub profile_enabled: bool,
    /// Cart: `/user/{id}/cart`, `/checkout/{id}`, `/metrics`, `/debug/pprof/`.
    pub cart_listen: SocketAddr,
    /// The LOMS gateway and its Swagger UI at `/docs`.
    pub loms_listen: SocketAddr,
    /// The LOMS gateway again, on the port of the oldest clients.
    pub loms_old_listen: SocketAddr,
    /// The comments gateway.
    pub comments_listen: SocketAddr,
    /// Allows listeners that other machines reach. They may then act as any user: there is no token.
    #[schemars(extend("x-formerly" = "off_loopback_enabled"))]
    pub beyond_loopback_enabled: bool,
    /// What one address may spend over REST: each call costs what its operation costs over GraphQL, a refused one 1. The user
    /// whom a call names does not pay, for anybody could name another.
    pub rate_limit: budget::Config,
    /// How long the graph may take for one call.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub request_timeout: Duration,
    /// The status with which a gateway refuses a wrong method.
    pub wrong_method: WrongMethod,
    /// The word for the status of a paid order.
    pub paid_status: PaidStatus,
    /// Under which key an order names its user.
    pub order_user_key: UserKey,
    /// Under which keys a checkout names its order.
    pub checkout_key: CheckoutKey,
    /// In which case comments are written.
    pub comments_key_case: KeyCase,
}

/// A gateway's status for a known path with another method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum WrongMethod {
    /// 501, as grpc-gateway has it.
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
    pub(super) const fn as_str(self) -> &'static str {
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
            profile_enabled: true,
            cart_listen: local(8080),
            loms_listen: local(8084),
            loms_old_listen: local(8081),
            comments_listen: local(8086),
            beyond_loopback_enabled: false,
            rate_limit: budget::Config::default(),
            request_timeout: Duration::from_secs(30),
            wrong_method: WrongMethod::default(),
            paid_status: PaidStatus::default(),
            order_user_key: UserKey::default(),
            checkout_key: CheckoutKey::default(),
            comments_key_case: KeyCase::default(),
        }
    }
}
