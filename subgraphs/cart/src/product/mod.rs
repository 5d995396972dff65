//! Products in the graph: names and prices from the catalogue, what is looked for in it, and a warning where it is old.

mod connection;
pub(crate) mod graphql;
pub(crate) mod object;
pub(crate) mod warning;
