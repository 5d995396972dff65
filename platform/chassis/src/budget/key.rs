//! Whose limits a request counts against.

use std::net::{IpAddr, Ipv6Addr};

use schema::id::UserId;

use crate::principal::Principal;

/// Whose limits a request counts against. Callers without a token share one by address, so that one address cannot
/// starve the others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RateLimitKey {
    /// A user, wherever the calls come from.
    User(UserId),
    /// Another service, by the name in its token.
    Service(String),
    /// Whoever calls from this address; `None` where the transport has none.
    Address(Option<IpAddr>),
}

impl RateLimitKey {
    /// Whoever calls from there: from one IPv4 address, or from one IPv6 network of 64 bits, which is what one client gets.
    #[must_use]
    pub fn address(address: Option<IpAddr>) -> Self {
        Self::Address(address.map(|address| match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = address.to_bits() & !u128::from(u64::MAX);
                IpAddr::V6(Ipv6Addr::from_bits(network))
            }
            address @ IpAddr::V4(_) => address,
        }))
    }

    /// A user counts as that user, also behind a service that acts for it.
    #[must_use]
    pub fn of(principal: Option<&Principal>, address: Option<IpAddr>) -> Self {
        let user = principal.and_then(|principal| principal.user);
        let service = principal.and_then(|principal| principal.service.clone());
        match (user, service) {
            (Some(user), _) => Self::User(user),
            (None, Some(service)) => Self::Service(service),
            (None, None) => Self::address(address),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seen red with whole IPv6 addresses.
    #[test]
    fn a_client_has_one_address_however_many_it_uses() {
        let key = |text: &str| RateLimitKey::address(Some(text.parse().unwrap()));
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:0:0:1"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    }
}
