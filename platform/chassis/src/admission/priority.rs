//! What goes first.

/// The class of a request, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Paying and checking out.
    Payment,
    /// Any other change.
    Mutation,
    /// A stream that opens or resumes.
    Resume,
    /// Reads of a caller with a token.
    Read,
    /// Everything without a token, and introspection.
    Anonymous,
}

impl Priority {
    /// All of them, the most urgent first.
    pub const ALL: [Self; 5] = [
        Self::Payment,
        Self::Mutation,
        Self::Resume,
        Self::Read,
        Self::Anonymous,
    ];

    /// Its name, as metrics show it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Mutation => "mutation",
            Self::Resume => "resume",
            Self::Read => "read",
            Self::Anonymous => "anonymous",
        }
    }

    /// Its position in [`Priority::ALL`].
    pub(super) const fn index(self) -> usize {
        self as usize
    }

    /// Its share of the work while several classes wait: enough for those that pay to have all they want at twice the
    /// capacity, and little enough that a crowd of them leaves the shop open to who looks around.
    pub(super) const fn share(self) -> f64 {
        match self {
            Self::Payment => 16.0,
            Self::Mutation => 8.0,
            Self::Resume => 3.0,
            Self::Read => 5.0,
            Self::Anonymous => 2.0,
        }
    }

    /// The most of `limit` places that the class may hold: opening a stream may wait for the broker, and who has no token
    /// leaves room for those who have.
    pub(super) fn most_of(self, limit: usize) -> usize {
        match self {
            Self::Payment | Self::Mutation | Self::Read => limit,
            Self::Resume => limit.div_ceil(2),
            Self::Anonymous => limit - limit / 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_stands_at_its_position() {
        for (position, class) in Priority::ALL.into_iter().enumerate() {
            assert_eq!(class.index(), position);
        }
    }
}
