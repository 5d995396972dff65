//! Query, mutation, subscription, and which of them a transport takes.

/// What an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperationKind {
    /// Reads.
    Query,
    /// Writes; its root fields run one after another.
    Mutation,
    /// A stream of responses.
    Subscription,
}

impl OperationKind {
    /// The keyword.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Mutation => "mutation",
            Self::Subscription => "subscription",
        }
    }
}

/// The kinds that a transport takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperationKinds {
    query: bool,
    mutation: bool,
    subscription: bool,
}

impl OperationKinds {
    /// GET.
    pub const QUERY: Self = Self {
        query: true,
        mutation: false,
        subscription: false,
    };
    /// POST with one response.
    pub const QUERY_OR_MUTATION: Self = Self {
        query: true,
        mutation: true,
        subscription: false,
    };
    /// A transport that can stream.
    pub const ALL: Self = Self {
        query: true,
        mutation: true,
        subscription: true,
    };
    /// A stream and nothing else.
    pub const SUBSCRIPTION: Self = Self {
        query: false,
        mutation: false,
        subscription: true,
    };
    /// GET on a transport that can stream.
    pub const QUERY_OR_SUBSCRIPTION: Self = Self {
        query: true,
        mutation: false,
        subscription: true,
    };

    /// Whether the transport takes this kind.
    #[must_use]
    pub const fn allow(self, kind: OperationKind) -> bool {
        match kind {
            OperationKind::Query => self.query,
            OperationKind::Mutation => self.mutation,
            OperationKind::Subscription => self.subscription,
        }
    }
}
