//! What all surfaces share.

use super::{account::Accounts, config::Config, graph::Graph};

/// The graph, and how its data is written.
pub(super) struct Shim {
    pub(super) graph: Graph,
    pub(super) accounts: Accounts,
    pub(super) options: Config,
}
