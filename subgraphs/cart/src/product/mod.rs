//! Products in the graph: names and prices from the catalogue, and a warning where they are old.

pub(crate) mod graphql;
pub(crate) mod warning;
