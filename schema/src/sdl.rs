//! The committed SDL: one file a subgraph and the supergraph that is composed from them.
//!
//! `make compose-schema` writes them; tests of each subgraph fail when the code and its file differ.

/// Subgraph `cart`.
pub const CART: &str = include_str!("../graphql/cart.graphql");
/// Subgraph `loms`.
pub const LOMS: &str = include_str!("../graphql/loms.graphql");
/// Subgraph `comments`.
pub const COMMENTS: &str = include_str!("../graphql/comments.graphql");
/// Subgraph `events`, which the router itself serves.
pub const EVENTS: &str = include_str!("../graphql/events.graphql");
/// The composed supergraph that the router loads.
pub const SUPERGRAPH: &str = include_str!("../graphql/supergraph.graphql");
