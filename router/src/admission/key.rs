//! Whose limits a request counts against.

use std::net::IpAddr;

use chassis::principal::Principal;
use schema::id::UserId;

/// Whose limits a request counts against. Callers without a token share one by address, so that one address cannot
/// starve the others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum RateLimitKey {
    /// A user, wherever the calls come from.
    User(UserId),
    /// Another service, by the name in its token.
    Service(String),
    /// Whoever calls from this address; `None` where the transport has none.
    Address(Option<IpAddr>),
}

impl RateLimitKey {
    /// A user counts as that user, also behind a service that acts for it.
    pub(crate) fn of(principal: Option<&Principal>, address: Option<IpAddr>) -> Self {
        let user = principal.and_then(|principal| principal.user);
        let service = principal.and_then(|principal| principal.service.clone());
        match (user, service) {
            (Some(user), _) => Self::User(user),
            (None, Some(service)) => Self::Service(service),
            (None, None) => Self::Address(address),
        }
    }
}
