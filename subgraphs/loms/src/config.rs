//! Settings of the order service.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use chassis::{budget, config::Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::order::Limits;

/// Settings of the order service.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where gRPC listens.
    pub grpc_listen: SocketAddr,
    /// gRPC takes the user from the call, as its older clients need. Beyond loopback that must be allowed here.
    #[schemars(extend("x-formerly" = "grpc_compat_beyond_loopback"))]
    pub beyond_loopback_enabled: bool,
    /// The most gRPC calls at work at once; more are refused with `RESOURCE_EXHAUSTED`.
    #[schemars(range(min = 1))]
    pub grpc_calls: usize,
    /// What gRPC's callers may spend: a user with a token, or an address without one. A change costs 10 and, where it has
    /// lines, one more for each ten; a read costs 2. Services of the marketplace pay nothing.
    pub grpc_rate_limit: budget::Config,
    /// The most bytes of one gRPC message; an order of 1,000 lines has about 30 KiB.
    #[schemars(range(min = 1))]
    pub grpc_message_bytes: usize,
    /// The most streams of order events over gRPC in all; one more is refused with `OVERLOADED`.
    #[schemars(range(min = 1))]
    pub order_streams_max: usize,
    /// The most of them of one caller, a user with a token or an address without one; one more is refused with `RATE_LIMITED`.
    #[schemars(range(min = 1))]
    pub order_streams_per_caller_max: usize,
    /// The log that these streams read, which the first of them starts.
    pub order_stream: order_stream::Config,
    /// The longest that one gRPC call may take; a shorter `grpc-timeout` wins.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub call_timeout: Duration,
    /// How long an order may stay unpaid before it is cancelled; 0: for ever.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::MayBeZero")]
    pub order_ttl: Duration,
    /// The most orders of one customer that await payment; one more is refused with `LIMIT_EXCEEDED`.
    #[schemars(range(min = 1))]
    pub open_orders_max: u32,
    /// The most units of one product that one customer may reserve, in hundredths of all there are; 100 units are always allowed.
    #[schemars(range(min = 1, max = 100))]
    pub share_percent: u32,
    /// How often unpaid orders are looked for.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub expiry_interval: Duration,
    /// The most orders that one transaction of the sweeper cancels.
    #[schemars(range(min = 1))]
    pub expiry_batch: u32,
    /// Whether changes of orders that come together share a transaction; without it each has its own.
    pub group_commit: bool,
    /// The most changes of orders that wait for their turn; one more is refused with `OVERLOADED`.
    #[schemars(range(min = 1))]
    pub group_queue: usize,
    /// The product service's address: a customer's order is made at its prices.
    #[schemars(url)]
    pub product_url: String,
    /// What the product service expects in `X-API-KEY`.
    pub product_key: Secret,
    /// Requests a second that this process sends to the product service; more wait in a queue.
    #[schemars(range(min = 1))]
    pub product_rate: u32,
    /// How long one request to the product service may take.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub product_timeout: Duration,
    /// How long a look-up of one product may take in all: waiting in the queue, tries and pauses.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub product_deadline: Duration,
    /// How long a product's price is believed.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub product_cache_ttl: Duration,
    /// How long a group of changes waits for a row that another transaction has locked, before those who want the row wait
    /// aside and the others go on. Without `group_commit`, `postgres.lock_timeout` counts.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub lock_timeout: Duration,
    /// The relay of order events.
    pub relay: outbox::relay::Config,
}

impl Config {
    /// What one customer may hold unpaid.
    pub(crate) const fn limits(&self) -> Limits {
        Limits {
            open_orders: self.open_orders_max,
            share_percent: self.share_percent,
        }
    }

    /// How the product service is asked.
    pub(crate) fn catalogue(&self) -> catalogue::Config {
        catalogue::Config {
            setting: "loms.product",
            url: self.product_url.clone(),
            key: self.product_key.clone(),
            rate: self.product_rate,
            timeout: self.product_timeout,
            deadline: self.product_deadline,
            cache_ttl: self.product_cache_ttl,
            ..catalogue::Config::default()
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        let product = catalogue::Config::default();
        Self {
            grpc_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8083)),
            beyond_loopback_enabled: false,
            grpc_calls: 512,
            grpc_rate_limit: budget::Config::default(),
            grpc_message_bytes: 256 << 10,
            order_streams_max: 1_000,
            order_streams_per_caller_max: 100,
            order_stream: order_stream::Config {
                log_bytes: 16 << 20,
                ..order_stream::Config::default()
            },
            call_timeout: Duration::from_secs(10),
            order_ttl: Duration::from_secs(600),
            open_orders_max: 200,
            share_percent: 50,
            expiry_interval: Duration::from_secs(1),
            expiry_batch: 100,
            group_commit: true,
            group_queue: 4_096,
            product_url: product.url,
            product_key: product.key,
            product_rate: product.rate,
            product_timeout: product.timeout,
            product_deadline: product.deadline,
            product_cache_ttl: product.cache_ttl,
            lock_timeout: Duration::from_millis(200),
            relay: outbox::relay::Config::default(),
        }
    }
}
