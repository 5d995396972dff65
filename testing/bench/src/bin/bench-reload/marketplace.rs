//! The marketplace that is measured, as bench-overload starts it.

#[path = "../bench-overload/server.rs"]
mod server;

pub(crate) use self::server::Server;
