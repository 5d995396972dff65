//! The supergraph: the schema that clients see, and what its types allow.
//!
//! Invariant: a [`Supergraph`] never changes; every request borrows one, and a reload makes a new one.

mod builtin;
mod declared;
mod entity_keys;
mod error;
mod linked;
mod literal;
mod requirements;
mod sdl;
mod subscriptions;
mod supergraph;
mod types;

pub use declared::Declared;
pub(crate) use declared::declared;
pub use error::{LoadError, RouteError};
pub(crate) use literal::literal;
pub(crate) use requirements::Requirements;
pub(crate) use subscriptions::subscriptions;
pub use subscriptions::{Link, Member, OwnSubscriptions, SubscriptionField, Subscriptions};
pub(crate) use supergraph::{Supergraph, check_queries};
pub(crate) use types::{EnumValues, FieldInfo, InputField, TypeInfo, TypeKind, TypeRef, TypeTable};
