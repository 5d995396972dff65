//! Running a plan and writing its answer.
//!
//! In: a planned operation, coerced variables and a caller. Out: the answer's bytes. The data lives in one
//! [`store::Store`] a request; nothing is shared between requests.

mod blame;
pub(crate) mod error;
mod extensions;
pub(crate) mod introspection;
pub(crate) mod memo;
pub(crate) mod read;
pub(crate) mod represent;
pub(crate) mod response;
pub(crate) mod run;
pub(crate) mod store;
pub(crate) mod write;
