//! Why a subgraph brought nothing.

/// Why a fetch failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The subgraph was not reached, so nothing happened; a retry is safe.
    #[error("not reachable: {0}")]
    Connect(String),
    /// The connection broke before the whole response was there: a mutation may have happened.
    #[error("connection lost: {0}")]
    Lost(String),
    /// Its HTTP status says that it failed, and its body is no GraphQL response.
    #[error("status {0}")]
    Status(u16),
    /// There is no response in the response.
    #[error("an empty response")]
    Empty,
    /// The response is longer than what is read.
    #[error("a response longer than {bytes_max} bytes (`fetch.max_response_bytes`)")]
    TooLong {
        /// The bound, in bytes.
        bytes_max: usize,
    },
    /// The response is not what a GraphQL server sends.
    #[error("invalid response: {0}")]
    Response(String),
    /// So many different subscriptions at it are open already.
    #[error("{max} subscriptions at it are open (`fetch.subscriptions_max`)")]
    Subscriptions {
        /// The bound.
        max: usize,
    },
    /// It takes no subscriptions.
    #[error("it serves no subscriptions")]
    NoSubscriptions,
    /// It took too long.
    #[error("took longer than {0:?}")]
    Timeout(std::time::Duration),
    /// The breaker is open.
    #[error("breaker open")]
    BreakerOpen,
}

impl FetchError {
    /// Every [`FetchError::reason`].
    pub const REASONS: [&str; 10] = [
        "unreachable",
        "lost",
        "status",
        "empty",
        "too_long",
        "invalid",
        "subscriptions_max",
        "no_subscriptions",
        "timeout",
        "breaker_open",
    ];

    /// One word for it, as metrics have it.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Connect(_) => "unreachable",
            Self::Lost(_) => "lost",
            Self::Status(_) => "status",
            Self::Empty => "empty",
            Self::TooLong { .. } => "too_long",
            Self::Response(_) => "invalid",
            Self::Subscriptions { .. } => "subscriptions_max",
            Self::NoSubscriptions => "no_subscriptions",
            Self::Timeout(_) => "timeout",
            Self::BreakerOpen => "breaker_open",
        }
    }
}
