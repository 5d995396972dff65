//! Who calls, and whose orders the call may see and change.
//!
//! Invariant: it reaches SQL as a predicate, so another buyer's order and a missing one look the same.

use ::schema::id::UserId;
use chassis::principal::{Denied, Principal};
use idempotency::Key;

/// Whose orders a call may see and change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// One buyer's.
    Owner(UserId),
    /// Everybody's: an operator, a service, or a gRPC client of the compatibility profile.
    Everybody,
}

impl Access {
    /// What a principal may see.
    ///
    /// # Errors
    /// [`Denied`] for a service without the scope of operators.
    pub fn of(principal: &Principal) -> Result<Self, Denied> {
        if principal.is_ops() {
            Ok(Self::Everybody)
        } else {
            principal.user().map(Self::Owner)
        }
    }

    /// Whether an order of this buyer may be seen and changed.
    pub(crate) fn covers(self, owner: UserId) -> bool {
        match self {
            Self::Owner(user) => user == owner,
            Self::Everybody => true,
        }
    }

    /// The owner that a row must have; `None` for any.
    pub(crate) fn owner(self) -> Option<i64> {
        match self {
            Self::Owner(user) => Some(user.get()),
            Self::Everybody => None,
        }
    }
}

/// Who makes a change, under which name, in which trace.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Whose orders may be changed.
    pub access: Access,
    /// Who calls, for the scope of the key; `None` for a caller that acts for nobody.
    pub user: Option<UserId>,
    /// The caller's name for this change, if it has one.
    pub key: Option<Key>,
    /// W3C trace context, stored in the events.
    pub traceparent: Option<String>,
}

impl Caller {
    /// A caller without a key and without a trace.
    #[must_use]
    pub const fn plain(access: Access) -> Self {
        let user = match access {
            Access::Owner(user) => Some(user),
            Access::Everybody => None,
        };
        Self {
            access,
            user,
            key: None,
            traceparent: None,
        }
    }
}
