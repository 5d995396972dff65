//! What a transaction does about the keys of others.

/// What to do about a key that another transaction has at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldKeys {
    /// Wait until it has ended.
    Awaited,
    /// Say [`Claim::Held`](crate::Claim::Held), so that the others' changes do not wait for one of them.
    PassedOver,
}
