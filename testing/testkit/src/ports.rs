//! Ports for a whole marketplace of a test's own.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// The ports of a marketplace before they are moved.
const PORTS: [u16; 16] = [
    4000, 4001, 4005, 4101, 4102, 4103, 4104, 5433, 8080, 8081, 8082, 8083, 8084, 8085, 8086, 9092,
];

/// A `--port-offset` under which every port is free, and that no other call of this process gets.
///
/// # Panics
/// When there is no such offset.
#[must_use]
pub fn free_offset() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Below the ports that the system hands out by itself, and apart from a neighbour's test run.
    let place = std::process::id() % 90 * 150;
    let start = 6_000 + u16::try_from(place).expect("below 13,350");
    loop {
        let offset = start + NEXT.fetch_add(11, Ordering::Relaxed);
        assert!(offset < 23_000, "no free range of ports");
        let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port + offset)).is_ok();
        if PORTS.iter().all(is_free) {
            return offset;
        }
    }
}
