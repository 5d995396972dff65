//! Loopback ports.

use std::net::{Ipv4Addr, TcpListener};

/// A port of 127.0.0.1 that is free at this moment. Another process may take it before the caller does, so a caller that
/// can listen on port 0 itself should do that.
///
/// # Panics
/// When the machine has no free port at all.
#[must_use]
pub fn free() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .expect("loopback has a free port")
        .port()
}
