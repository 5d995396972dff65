//! Mutants: bugs that are known to be bugs, to see whether the tests can tell.
//!
//! They are compiled in only with the feature `mutants`; without it [`is_on`] is the constant `false` and nothing of them
//! is left. With it the environment variable `MUTANT` switches one on. `make mutants` tries each of them.

/// One bug. Each sits where its rule is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mutant {
    /// Events are committed, and may be sent, before the change that they tell of.
    PublishBeforeCommit,
    /// The relay marks rows before the broker has acknowledged them.
    MarkSentBeforeAck,
    /// The relay goes on behind the last id that it saw.
    RelayCursorOnSerialId,
    /// Two relays send the same rows.
    TwoRelaysWithoutShards,
    /// The producer is not idempotent and repeats what it sent.
    ProducerWithoutIdempotence,
    /// The notifier's client commits offsets by itself.
    AutomaticOffsetCommit,
    /// The notifier commits the offset, then has the effect.
    OffsetBeforeEffect,
    /// The notifier writes the inbox in a transaction of its own.
    InboxOutsideTheTransaction,
    /// Stock is read without a lock, then written.
    CheckThenWrite,
    /// Stock is locked in no order.
    UnsortedLocks,
    /// Of two lines with one SKU the last one counts.
    DuplicateLinesNotSummed,
    /// A cancellation gives the units back twice.
    CancelReleasesTwice,
    /// The sweeper does not look again after its lock.
    ExpiryIgnoresPayment,
    /// The idempotency key is committed before the change.
    KeyInItsOwnTransaction,
    /// A stream that resumes begins at the end.
    ResumeFromNow,
    /// `_entities` answers with anybody's order.
    NoOwnerInEntities,
    /// A stream goes on after its token's end.
    TokenExpiryIgnored,
    /// A process that drains says that it is ready.
    ReadyWhileDraining,
}

impl Mutant {
    /// All of them, in the order of a report.
    pub const ALL: [Self; 18] = [
        Self::PublishBeforeCommit,
        Self::MarkSentBeforeAck,
        Self::RelayCursorOnSerialId,
        Self::TwoRelaysWithoutShards,
        Self::ProducerWithoutIdempotence,
        Self::AutomaticOffsetCommit,
        Self::OffsetBeforeEffect,
        Self::InboxOutsideTheTransaction,
        Self::CheckThenWrite,
        Self::UnsortedLocks,
        Self::DuplicateLinesNotSummed,
        Self::CancelReleasesTwice,
        Self::ExpiryIgnoresPayment,
        Self::KeyInItsOwnTransaction,
        Self::ResumeFromNow,
        Self::NoOwnerInEntities,
        Self::TokenExpiryIgnored,
        Self::ReadyWhileDraining,
    ];

    /// Its name, which is the value of `MUTANT` that switches it on.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PublishBeforeCommit => "publish-before-commit",
            Self::MarkSentBeforeAck => "mark-sent-before-ack",
            Self::RelayCursorOnSerialId => "relay-cursor-on-serial-id",
            Self::TwoRelaysWithoutShards => "two-relays-without-shards",
            Self::ProducerWithoutIdempotence => "producer-without-idempotence",
            Self::AutomaticOffsetCommit => "automatic-offset-commit",
            Self::OffsetBeforeEffect => "offset-before-effect",
            Self::InboxOutsideTheTransaction => "inbox-outside-the-transaction",
            Self::CheckThenWrite => "check-then-write",
            Self::UnsortedLocks => "unsorted-locks",
            Self::DuplicateLinesNotSummed => "duplicate-lines-not-summed",
            Self::CancelReleasesTwice => "cancel-releases-twice",
            Self::ExpiryIgnoresPayment => "expiry-ignores-payment",
            Self::KeyInItsOwnTransaction => "key-in-its-own-transaction",
            Self::ResumeFromNow => "resume-from-now",
            Self::NoOwnerInEntities => "no-owner-in-entities",
            Self::TokenExpiryIgnored => "token-expiry-ignored",
            Self::ReadyWhileDraining => "ready-while-draining",
        }
    }
}

/// Whether `mutant` is switched on in this process.
#[cfg(not(feature = "mutants"))]
#[inline]
#[must_use]
pub const fn is_on(_mutant: Mutant) -> bool {
    false
}

/// Whether `mutant` is switched on in this process.
#[cfg(feature = "mutants")]
#[must_use]
pub fn is_on(mutant: Mutant) -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "no setting: this is not compiled into what users run"
    )]
    static NAME: std::sync::LazyLock<Option<String>> =
        std::sync::LazyLock::new(|| std::env::var("MUTANT").ok());
    NAME.as_deref() == Some(mutant.name())
}
