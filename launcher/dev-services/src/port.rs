//! Loopback ports.

use std::net::{Ipv4Addr, TcpListener};

/// A port of 127.0.0.1 that nobody listened on a moment ago. Another process may take it before the caller does, so
/// a caller that can listen on port 0 itself should.
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

/// Whether somebody listens on this port of 127.0.0.1.
#[must_use]
pub fn is_taken(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err()
}
