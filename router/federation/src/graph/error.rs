//! Why a supergraph is not served.

/// Why a supergraph cannot be served.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LoadError {
    /// The text is not a schema document.
    #[error("the supergraph cannot be parsed: {0}")]
    Parse(String),
    /// The planner refuses it.
    #[error("the supergraph cannot be planned over: {0}")]
    Planner(String),
    /// A subgraph of the supergraph cannot be called.
    #[error("subgraph {name}: {error}")]
    Subgraph {
        /// Its name.
        name: String,
        /// Why.
        error: RouteError,
    },
    /// It is a schema, and no supergraph: nobody would be asked for anything.
    #[error("it declares no subgraphs: enum join__Graph is missing or empty")]
    NoSubgraphs,
    /// Clients could ask for nothing.
    #[error("it has no query type")]
    NoQueries,
    /// The host does not answer what the supergraph says it would.
    #[error("{0}")]
    Subscriptions(String),
    /// Two subgraphs have one name, so nobody could tell which is asked.
    #[error("two subgraphs are named {0}")]
    TwoOfAName(String),
}

/// Why a subgraph cannot be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// Nobody says where it is.
    #[error("it has no URL")]
    Missing,
    /// Its address is none that can be called.
    #[error("{url:?} is no http or https URL")]
    Url {
        /// The address, without a password.
        url: String,
    },
    /// This machine's certificates cannot be read, so nobody could tell who answers.
    #[error("no certificates to check its https address with: {0}")]
    Certificates(String),
}
