//! Orders in the graph: decode, call, encode. Types are in `object`, reads in `query`, changes in `mutation`.

mod mutation;
mod object;
mod query;
mod status;

pub(crate) use self::{mutation::OrderMutation, query::OrderQuery};
