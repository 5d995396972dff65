//! Settings of the comments service.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use chassis::budget;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the comments service, `comments.*`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long an author may edit a comment. Source: docs/contracts.md §6.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub edit_window: Duration,
    /// The most comments and edits of one user in a minute, through the public graph; more are refused with
    /// `RATE_LIMITED`. The compatibility surfaces know no such limit.
    #[schemars(range(min = 1))]
    pub writes_per_minute: u32,
    /// The shards' databases, by shard index. A SKU's shard depends on how many there are: never change the number
    /// of a system that holds comments.
    #[schemars(length(min = 1))]
    pub databases: Vec<String>,
    /// Where gRPC listens.
    pub grpc_listen: SocketAddr,
    /// gRPC takes the user from the call, as its older clients need. Beyond loopback that must be allowed here.
    #[schemars(extend("x-formerly" = "grpc_compat_beyond_loopback"))]
    pub beyond_loopback_enabled: bool,
    /// The most gRPC calls at work at once; more are refused with `RESOURCE_EXHAUSTED`.
    #[schemars(range(min = 1))]
    pub grpc_calls: usize,
    /// What gRPC's callers may spend: a user with a token, or an address without one. A change costs 10, a
    /// read 2. Services of the marketplace pay nothing.
    pub grpc_rate_limit: budget::Config,
    /// The most bytes of one gRPC request; a comment of 255 characters has at most about 1 KiB.
    #[schemars(range(min = 1))]
    pub grpc_message_bytes: usize,
    /// The longest that one gRPC call may take; a shorter `grpc-timeout` wins.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub call_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            edit_window: Duration::from_secs(15 * 60),
            writes_per_minute: 30,
            databases: vec!["comments_0".to_owned(), "comments_1".to_owned()],
            grpc_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8085)),
            beyond_loopback_enabled: false,
            grpc_calls: 512,
            grpc_rate_limit: budget::Config::default(),
            grpc_message_bytes: 16 << 10,
            call_timeout: Duration::from_secs(10),
        }
    }
}
