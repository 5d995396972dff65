//! Running a plan and writing the response.
//!
//! In: a planned operation, coerced variables and a caller. Out: the bytes of the response. The data lives in one
//! [`store::Store`] a request; nothing is shared between requests. Start reading at [`run::run`].

mod attribution;
pub(crate) mod budget;
mod entities;
mod entity_cache;
mod error;
mod extensions;
mod fetched;
pub(crate) mod introspection;
mod missing;
mod places;
pub(crate) mod read;
mod rename;
mod representations;
pub(crate) mod response;
pub(crate) mod run;
pub(crate) mod schema_size;
pub(crate) mod state;
pub(crate) mod store;
mod variables;
mod write;
mod written;
