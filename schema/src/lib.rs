//! All that two processes must agree on: ids, error codes, the order event, protobuf, SDL and seed data.
//!
//! Nothing here does I/O. Start reading at [`id`], then [`event`] (what goes over Kafka) and [`code`]
//! (what an error means on each transport).

pub mod code;
pub mod event;
pub mod id;
#[cfg(feature = "proto")]
pub mod proto;
pub mod sdl;
pub mod seed;
pub mod shortage;
